import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { context, trace } from "@opentelemetry/api";
import { core, node, tracing } from "@opentelemetry/sdk-node";
import { traceOf, type BrokerTrace } from "@voxbus/bus";
import { findFreePort, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

const spans = new tracing.InMemorySpanExporter();
const reports: BrokerTrace[] = [];
const servers: NatsServer[] = [];
const connections: NatsConnection[] = [];
let traceReport: (report: BrokerTrace) => void;

beforeAll(async () => {
  const random = new tracing.RandomIdGenerator();
  const chosen = Symbol.for("voxbus.span_id");
  new node.NodeTracerProvider({
    spanProcessors: [new tracing.SimpleSpanProcessor(spans)],
    idGenerator: {
      generateTraceId: () => random.generateTraceId(),
      generateSpanId: () => (context.active().getValue(chosen) as string | undefined) ?? random.generateSpanId(),
    },
  }).register({ propagator: new core.W3CTraceContextPropagator() });
  const monitor = new URL("../../../apps/monitor/dist/traces/broker-spans.js", import.meta.url).href;
  ({ traceReport } = (await import(monitor)) as { traceReport: typeof traceReport });

  const ports = [await findFreePort(), await findFreePort()];
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  servers.push(
    ...(await Promise.all(
      ports.map((port, at) =>
        startNatsServer({
          config: `server_name: "n${at + 1}"
cluster { name: "pair", listen: "127.0.0.1:${port}", routes: [${routes}] }
accounts { voxbus { jetstream: enabled, users: [ { user: voxbus } ], msg_trace { dest: "voxbus.trace" } } }
no_auth_user: voxbus`,
        }),
      ),
    )),
  );
  for (const [at, { url }] of servers.entries())
    connections.push(await connect({ servers: url, name: `client${at + 1}` }));
  const [near, far] = connections;
  far!.subscribe("device.a.heard", { callback: () => undefined });
  near!.subscribe("voxbus.trace", { callback: (_, message) => void reports.push(message.json()) });
  await Promise.all([far!.flush(), near!.flush()]);
});
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all(servers.map((server) => server.stop()));
});
beforeEach(() => {
  reports.length = 0;
  spans.reset();
});

/** Sends a message from the near server's client to the far one's until both servers report it. */
async function send(id: string): Promise<string> {
  return vi.waitFor(
    async () => {
      reports.length = 0;
      const span = trace.getTracer("test").startSpan("send");
      const carried = headers();
      carried.set("traceparent", traceOf(span)["traceparent"] ?? "");
      if (id !== "") carried.set("Nats-Msg-Id", id);
      connections[0]!.publish("device.a.heard", "{}", { headers: carried });
      await connections[1]!.flush();
      await connections[0]!.flush();
      await vi.waitFor(() => expect(reports).toHaveLength(2), { timeout: 500 });
      return span.spanContext().spanId;
    },
    { timeout: 10_000 },
  );
}

/** Lists the spans with the names of their parents. */
function readTree(sender: string) {
  const finished = spans.getFinishedSpans();
  const nameOf = (id: string | undefined) =>
    id === sender ? "send" : finished.find((span) => span.spanContext().spanId === id)?.name;
  return Object.fromEntries(finished.map((span) => [span.name, nameOf(span.parentSpanContext?.spanId)]));
}

test.each(["in their order", "the other way round"])(
  "broker: the reports of two servers, received %s, make one path from the sender over the route to the receiver",
  async (order) => {
    const sender = await send("one");
    const sorted = reports.toSorted((a, b) => a.server.name.localeCompare(b.server.name));
    for (const report of order === "in their order" ? sorted : sorted.toReversed()) traceReport(report);
    expect(readTree(sender)).toEqual({
      "nats n1": "send",
      "route n2": "nats n1",
      "nats n2": "route n2",
      "deliver client2": "nats n2",
    });
    const ids = spans.getFinishedSpans().map((span) => span.spanContext().spanId);
    expect(new Set(ids).size).toBe(4);
    const [far] = spans.getFinishedSpans().filter(({ name }) => name === "nats n2");
    expect(far?.attributes).toMatchObject({ "nats.hop": "1", "nats.cluster": "pair", "nats.server.name": "n2" });
    expect(far?.attributes).toMatchObject({ "messaging.destination.template": "device.{id}.heard" });
  },
);

test("broker: a message without a span id is below its sender at every server", async () => {
  const sender = await send("");
  for (const report of reports) traceReport(report);
  expect(readTree(sender)).toEqual({
    "nats n1": "send",
    "route n2": "nats n1",
    "nats n2": "send",
    "deliver client2": "nats n2",
  });
});

test("broker: a report without a valid trace makes no span", async () => {
  await send("two");
  const [report] = reports;
  traceReport({ ...report!, request: { ...report!.request, header: { traceparent: ["nonsense"] } } });
  traceReport({ ...report!, request: { ...report!.request, header: {} } });
  traceReport({ ...report!, events: [] });
  expect(spans.getFinishedSpans()).toEqual([]);
});
