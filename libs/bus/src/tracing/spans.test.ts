import { context, metrics, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { core, node, tracing } from "@opentelemetry/sdk-node";
import { channels, Heard } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BrokerTrace } from "./broker-trace.ts";
import type { Bus } from "../bus.ts";
import type { Claim } from "../jetstream/claim-options.ts";
import { spanIdOf, templateOf } from "./spans.ts";
import { contextOf, traceOf, tracingIsOn } from "./trace.ts";
import { connectOwnBus } from "../test-bus.ts";

let server: NatsServer;
let bus: Bus;
const spans = new tracing.InMemorySpanExporter();
const heard: Heard = {
  session: "01J0000000000000000000000A",
  listen: 1,
  utterance: 1,
  from: 2,
  origin: 3,
  text: "hello",
  language: "en",
};

beforeAll(async () => {
  server = await startNatsServer({
    config: `server_name: "n1"
accounts { voxbus { jetstream: enabled, users: [ { user: voxbus } ], msg_trace { dest: "voxbus.trace" } } }
no_auth_user: voxbus`,
  });
  bus = await connectOwnBus(server.url, { name: "tester" });
});
afterAll(async () => {
  await bus?.close();
  await server?.stop();
});

function startTracing(): void {
  const random = new tracing.RandomIdGenerator();
  const chosen = Symbol.for("voxbus.span_id");
  const provider = new node.NodeTracerProvider({
    spanProcessors: [new tracing.SimpleSpanProcessor(spans)],
    idGenerator: {
      generateTraceId: () => random.generateTraceId(),
      generateSpanId: () => (context.active().getValue(chosen) as string | undefined) ?? random.generateSpanId(),
    },
  });
  provider.register({ propagator: new core.W3CTraceContextPropagator() });
}
afterEach(() => {
  spans.reset();
  for (const api of [trace, context, propagation, metrics]) api.disable();
});

/** Claims messages of one device. */
function claimOnce(device: string, durable: string, work: (claim: Claim<Heard>) => Promise<void>) {
  const options = { channel: channels.heard(device), durable, slots: 1 };
  return bus.claim({ ...options, work });
}

test("store and claim: they make a PRODUCER and a CONSUMER span below the sender's, without the device's id in the name", async () => {
  startTracing();
  const device = "dev1";
  const turn = trace.getTracer("test").startSpan("turn");
  let active: string | undefined;
  let take: (claim: Claim<Heard>) => void = () => undefined;
  const taken = new Promise<Claim<Heard>>((resolve) => (take = resolve));
  const claims = await claimOnce(device, "t1", async (one) => {
    active = trace.getActiveSpan()?.spanContext().spanId;
    take(one);
  });
  await bus.store(channels.heard(device), heard, { id: "a:1", trace: traceOf(turn) });
  const claim = await taken;
  await claims.drain(2000);
  await expect
    .poll(() =>
      spans
        .getFinishedSpans()
        .map(({ name }) => name)
        .toSorted(),
    )
    .toEqual(["process device.{id}.heard", "send device.{id}.heard"]);
  turn.end();
  const [send, process] = spans
    .getFinishedSpans()
    .toSorted((a, b) => b.name.localeCompare(a.name))
    .slice(1);
  expect(send).toMatchObject({ name: "send device.{id}.heard", kind: SpanKind.PRODUCER });
  expect(send?.parentSpanContext?.spanId).toBe(turn.spanContext().spanId);
  expect(send?.attributes).toMatchObject({
    "messaging.system": "nats",
    "messaging.destination.template": "device.{id}.heard",
    "messaging.operation.type": "send",
    "messaging.message.id": "a:1",
  });
  expect(process).toMatchObject({ kind: SpanKind.CONSUMER, links: [] });
  expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
  expect(process?.attributes).toMatchObject({ "messaging.operation.type": "process", "voxbus.claim.outcome": "done" });
  expect(active).toBe(process?.spanContext().spanId);
  expect(trace.getSpanContext(contextOf(claim.trace))?.spanId).toBe(active);
});

test("claim: a second attempt links to the first", async () => {
  startTracing();
  const device = "dev2";
  const turn = trace.getTracer("test").startSpan("turn");
  const claims = await claimOnce(device, "t2", async ({ attempt }) => {
    if (attempt === 1) throw new Error("the first attempt fails");
  });
  await bus.store(channels.heard(device), heard, { trace: traceOf(turn) });
  const attempts = () => spans.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CONSUMER);
  await expect.poll(() => attempts().length, { timeout: 5000 }).toBe(2);
  await claims.drain(2000);
  const [first, second] = attempts();
  expect(first?.attributes).toMatchObject({ "voxbus.attempt": 1, "error.type": "Error" });
  expect(second?.attributes).toMatchObject({ "voxbus.attempt": 2, "voxbus.claim.outcome": "done" });
  expect(second?.links.map(({ context }) => context.spanId)).toEqual([first?.spanContext().spanId]);
});

test("store: a message without a trace makes no span, and neither does a bus without an SDK", async () => {
  startTracing();
  await bus.store(channels.heard("dev3"), heard);
  expect(spans.getFinishedSpans()).toEqual([]);
  for (const api of [trace, context, propagation]) api.disable();
  expect(tracingIsOn()).toBe(false);
  const given = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  expect(contextOf(given)).toBe(ROOT_CONTEXT);
  // A program that makes no spans passes on the context that it got.
  let take: (claim: Claim<Heard>) => void = () => undefined;
  const claimed = new Promise<Claim<Heard>>((resolve) => (take = resolve));
  const claims = await claimOnce("dev4", "t4", async (claim) => take(claim));
  await bus.store(channels.heard("dev4"), heard, { trace: given });
  expect((await claimed).trace).toEqual(given);
  await claims.drain(2000);
});

test("brokerTraces: nats-server reports the path of sampled messages only", async () => {
  startTracing();
  const reports: BrokerTrace[] = [];
  const closer = bus.brokerTraces((report) => reports.push(report));
  await bus.flush();
  const span = trace.getTracer("test").startSpan("turn");
  await bus.store(channels.heard("dev5"), heard);
  await bus.store(channels.heard("dev5"), heard, { trace: traceOf(span) });
  await expect.poll(() => reports.length).toBe(1);
  expect(reports[0]?.server.name).toBe("n1");
  expect(reports[0]?.request.header["traceparent"]?.[0]).toContain(span.spanContext().traceId);
  expect(reports[0]?.events.map(({ type, name, stream }) => [type, name ?? stream])).toEqual([
    ["in", "tester"],
    ["js", "voxbus_TURNS"],
  ]);
  closer.close();
});

test("templateOf: it replaces every id", () => {
  expect(templateOf("device.aa:bb.in.control.open")).toBe("device.{id}.in.control.open");
  expect(templateOf("stored.device.x.heard")).toBe("stored.device.{id}.heard");
  expect(templateOf("gateway.g1.command")).toBe("gateway.{id}.command");
  expect(templateOf("fleet.out")).toBe("fleet.out");
});

test("spanIdOf: the same parts give the same span id", () => {
  expect(spanIdOf("a", 1)).toMatch(/^[0-9a-f]{16}$/);
  expect(spanIdOf("a", 1)).toBe(spanIdOf("a", "1"));
  expect(spanIdOf("a", 2)).not.toBe(spanIdOf("a", 1));
});
