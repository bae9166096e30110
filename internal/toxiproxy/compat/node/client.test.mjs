// Every method of toxiproxy-node-client, against the server at TOXIPROXY_URL. The
// package has no tests of its own in it.
import assert from "node:assert/strict";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Toxiproxy } from "toxiproxy-node-client";

const toxiproxy = new Toxiproxy(process.env.TOXIPROXY_URL);
const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
let upstream;

before(async () => {
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  upstream = `127.0.0.1:${echo.address().port}`;
});
after(() => echo.close());

async function make(name) {
  return toxiproxy.createProxy({ name, listen: "localhost:0", upstream });
}

async function say(proxy, text) {
  const [host, port] = proxy.listen.split(":");
  const socket = connect(Number(port), host);
  socket.write(text);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return answer.toString();
}

test("a proxy is made, found, changed and removed", async () => {
  const proxy = await make("one");
  assert.equal(proxy.enabled, true);
  assert.equal(await say(proxy, "hello"), "hello");
  assert.deepEqual((await toxiproxy.get("one")).toJson(), proxy.toJson());
  assert.deepEqual(Object.keys(await toxiproxy.getAll()), ["one"]);
  const off = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.equal(off.enabled, false);
  await assert.rejects(say(proxy, "hello"), { code: "ECONNREFUSED" });
  const on = await off.update({ enabled: true, listen: proxy.listen, upstream: "somehost:12345" });
  assert.equal(on.enabled, true);
  assert.equal(on.upstream, "somehost:12345");
  await on.remove();
  await assert.rejects(toxiproxy.get("one"), { message: "Request failed with status code 404" });
});

test("the same name twice is a conflict", async () => {
  const proxy = await make("twice");
  await assert.rejects(make("twice"), { message: "Request failed with status code 409" });
  await proxy.remove();
});

test("many proxies are made at once", async () => {
  const proxies = await toxiproxy.populate([
    { name: "a", listen: "localhost:0", upstream },
    { name: "b", listen: "localhost:0", upstream, enabled: false },
  ]);
  assert.equal(proxies.a.enabled, true);
  assert.equal(proxies.b.enabled, false);
  assert.equal(await say(proxies.a, "hello"), "hello");
  await toxiproxy.reset();
  assert.equal((await toxiproxy.get("b")).enabled, true);
  await Promise.all(Object.values(proxies).map((p) => p.remove()));
  assert.deepEqual(await toxiproxy.getAll(), {});
});

test("the server has a version", async () => {
  assert.equal(typeof JSON.parse(await toxiproxy.getVersion()).version, "string");
});

test("a toxic is made, found, changed and removed", async () => {
  const proxy = await make("toxic");
  const toxic = await proxy.addToxic({ type: "latency", attributes: { latency: 5, jitter: 1 } });
  assert.deepEqual(toxic.toJson(), {
    name: "latency_downstream", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 5, jitter: 1 },
  });
  assert.equal(await say(proxy, "late"), "late");
  assert.deepEqual((await proxy.getToxic(toxic.name)).toJson(), toxic.toJson());
  const changed = await toxic.update({ attributes: { latency: 7, jitter: 2 } });
  assert.deepEqual(changed.attributes, { latency: 7, jitter: 2 });
  await assert.rejects(proxy.addToxic({ type: "latency" }), { message: "Request failed with status code 409" });
  await toxic.remove();
  await assert.rejects(proxy.getToxic(toxic.name), { message: "Request failed with status code 404" });
  await proxy.remove();
});

const types = {
  latency: { latency: 1000, jitter: 100 },
  bandwidth: { rate: 1000 },
  slow_close: { delay: 1000 },
  timeout: { timeout: 5000 },
  reset_peer: { timeout: 1000 },
  slicer: { average_size: 1000, delay: 1000, size_variation: 1000 },
  limit_data: { bytes: 42 },
};
for (const [type, attributes] of Object.entries(types)) {
  for (const stream of ["upstream", "downstream"]) {
    test(`${type} ${stream}`, async () => {
      const proxy = await make(`${type}-${stream}`);
      const toxic = await proxy.addToxic({ name: "t", type, stream, toxicity: 0.25, attributes });
      assert.deepEqual(toxic.toJson(), { name: "t", type, stream, toxicity: 0.25, attributes });
      await proxy.remove();
    });
  }
}
