// Drives docgen's page in a real Chromium.
//
//   BASE_URL       where docgen is; http://localhost:8080 when unset
//   CHROMIUM_PATH  the browser; looked for in the usual places when unset
//
// Writes results.xml (JUnit) and screenshots/. Exits with 0 when every test
// passed, 1 when one failed, and 77 when something that the tests need is
// missing; the last line of the output then says what.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const baseURL = process.env.BASE_URL || "http://localhost:8080";
const screenshots = join(here, "screenshots");

function skip(reason) {
  console.log(reason);
  process.exit(77);
}

// Results of an earlier run must not pass for this one's.
rmSync(join(here, "results.xml"), { force: true });
rmSync(screenshots, { recursive: true, force: true });

let chromium;
try {
  ({ chromium } = await import("playwright-core"));
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  skip("playwright-core is not installed: run `npm ci` in the directory e2e.");
}

const executablePath =
  process.env.CHROMIUM_PATH ||
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
if (!executablePath) {
  skip("Chromium is not installed: install it, or set CHROMIUM_PATH to the browser.");
}

const results = [];

// test runs one test; the later ones build on the earlier ones' page, so after
// a failure the rest is skipped.
async function test(name, body) {
  if (results.some((r) => r.failure)) {
    results.push({ name, seconds: 0, skipped: true });
    console.log(`- ${name}`);
    return;
  }
  const start = performance.now();
  const result = { name };
  try {
    await body();
  } catch (error) {
    result.failure = error;
  }
  result.seconds = (performance.now() - start) / 1000;
  results.push(result);
  console.log(`${result.failure ? "✗" : "✓"} ${name} (${result.seconds.toFixed(1)} s)`);
  if (result.failure) console.log(result.failure.message);
}

function expect(got, want, what) {
  if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

function junit() {
  const escape = (text) =>
    String(text)
      // Playwright colours its messages; XML 1.0 forbids the escape character.
      .replace(/\x1b\[[0-9;]*m/g, "")
      .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, "")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;");
  const cases = results.map((r) => {
    const open = `    <testcase classname="page" name="${escape(r.name)}" time="${r.seconds.toFixed(3)}"`;
    if (r.skipped) return `${open}><skipped/></testcase>`;
    if (!r.failure) return `${open}/>`;
    const [message] = r.failure.message.split("\n");
    return `${open}><failure message="${escape(message)}">${escape(r.failure.stack)}</failure></testcase>`;
  });
  const seconds = results.reduce((sum, r) => sum + r.seconds, 0).toFixed(3);
  const counts =
    `tests="${results.length}" failures="${results.filter((r) => r.failure).length}"` +
    ` errors="0" skipped="${results.filter((r) => r.skipped).length}" time="${seconds}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="page" ${counts}>`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

let browser;
let page;
await test("Chromium starts", async () => {
  browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox", // containers and namespaces give it none
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  page = await browser.newPage({ baseURL });
  page.setDefaultTimeout(15_000);
});

try {
  await test("the page opens", async () => {
    const response = await page.goto("/");
    expect(response.status(), 200, "status");
    expect(await page.title(), "Docgen", "title");
  });

  let id;
  await test("the form creates a document", async () => {
    await page.getByLabel("Template").selectOption("receipt");
    await page.getByLabel("Customer").fill("42");
    const created = page.waitForResponse((r) => r.request().method() === "POST");
    await page.getByRole("button", { name: "Create document" }).click();
    const response = await created;
    expect(response.status(), 201, "status");
    ({ id } = await response.json());
    await page.getByText(`Document ${id} is ready.`).waitFor();
  });

  await test("the document is in the list", async () => {
    const row = page.locator(`#documents tr[data-id="${id}"]`);
    await row.waitFor();
    const [number, template, customer] = await row.locator("td").allTextContents();
    expect(number, String(id), "number");
    expect(template, "receipt", "template");
    expect(customer, "Customer 42", "customer");
  });
} finally {
  if (page) {
    mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: join(screenshots, "page.png") }).catch((error) => console.log(error.message));
  }
  await browser?.close();
  writeFileSync(join(here, "results.xml"), junit());
}
process.exitCode = results.some((r) => r.failure) ? 1 : 0;
