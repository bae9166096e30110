// Exports with OpenTelemetry's SDK for Node: node export.mjs HOST:PORT EXPORTER.
// It ends with 1 when the SDK says that something has failed.
import { context, diag, DiagLogLevel, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter as GRPCExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JSONExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const [address, kind] = process.argv.slice(2);
const fail = (...words) => {
  console.error(...words);
  process.exitCode = 1;
};
diag.setLogger({ error: fail, warn: fail, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);

const resource = resourceFromAttributes({ "service.name": "shop", "host.cpus": 4 });
const second = 1767348000; // 2026-01-02T10:00:00Z
const exporters = {
  json: () => new JSONExporter({ url: `http://${address}/v1/traces` }),
  "json gzip": () => new JSONExporter({ url: `http://${address}/v1/traces`, compression: "gzip" }),
  protobuf: () => new ProtobufExporter({ url: `http://${address}/v1/traces` }),
  grpc: () => new GRPCExporter({ url: `http://${address}` }),
};

async function traces() {
  const provider = new TracerProvider({ resource, spanProcessors: [new BatchSpanProcessor({ exporter: exporters[kind]() })] });
  const tracer = provider.getTracer("shop/orders", "1.2");
  const root = tracer.startSpan("POST /orders", {
    kind: SpanKind.SERVER,
    startTime: [second, 123456789],
    attributes: { text: "é\u0000\u2028", yes: true, int: 42, negative: -9007199254740991, half: 0.5, texts: ["a", ""], ints: [1, 2] },
  });
  const child = tracer.startSpan(
    "INSERT orders",
    { kind: SpanKind.CLIENT, startTime: [second, 200000000], links: [{ context: root.spanContext() }] },
    trace.setSpan(context.active(), root),
  );
  child.addEvent("retry", { attempt: 2 }, [second, 250000000]);
  child.setStatus({ code: SpanStatusCode.ERROR, message: "it broke" });
  child.end([second, 300000000]);
  root.end([second, 400000000]);
  await provider.shutdown();
}

async function logs() {
  const provider = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `http://${address}/v1/logs` }) })],
  });
  provider.getLogger("shop/orders").emit({
    timestamp: [second, 123456789],
    severityNumber: 17,
    severityText: "ERROR",
    body: "the disk is full",
    attributes: { free: 0, mount: { path: "/data" } },
  });
  await provider.shutdown();
}

async function metrics() {
  const exporter = new OTLPMetricExporter({ url: `http://${address}/v1/metrics` });
  const provider = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter })] });
  const meter = provider.getMeter("shop/orders");
  meter.createCounter("counter").add(3, { shop: "a" });
  meter.createHistogram("histogram").record(42);
  await provider.shutdown();
}

await traces();
await logs();
await metrics();
