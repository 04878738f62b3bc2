import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { core, node, tracing } from "@opentelemetry/sdk-node";
import type { Bus } from "@voxbus/bus";
import { ToolError } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { traceTool } from "../engines/model-span.ts";
import { description, openTools, startTools } from "./test-tools.ts";

const spans = new tracing.InMemorySpanExporter();
let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  new node.NodeTracerProvider({ spanProcessors: [new tracing.SimpleSpanProcessor(spans)] }).register({
    propagator: new core.W3CTraceContextPropagator(),
  });
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

test("bus tools: a call is one span of dialogue and one of the tool's program below it, without arguments or result", async () => {
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "weather", description }, () => "secret result");
    tool({ name: "lamp", description }, () => {
      throw new ToolError("secret reason");
    });
  });
  const { toolsOf } = await openTools(bus, ["weather", "lamp"]);
  const { turn, call } = toolsOf();
  await traceTool("weather", () => call("weather", { word: "secret argument" }));
  await expect(traceTool("lamp", () => call("lamp", {}))).rejects.toThrow("secret reason");
  await vi.waitFor(() => expect(spans.getFinishedSpans()).toHaveLength(4));
  const find = (name: string) => spans.getFinishedSpans().find((span) => span.name === name);
  const id = `${turn.session}:7:1`;
  expect(find("execute_tool weather")?.attributes).toMatchObject({
    "gen_ai.tool.call.id": id,
    "voxbus.tool.outcome": "done",
  });
  expect(find("tool weather")).toMatchObject({ kind: SpanKind.SERVER });
  expect(find("tool weather")?.attributes).toEqual({
    "voxbus.device": "kitchen",
    "voxbus.session": turn.session,
    "voxbus.turn.origin": 7,
    "gen_ai.tool.call.id": id,
  });
  for (const name of ["weather", "lamp"]) {
    const [above, below] = [find(`execute_tool ${name}`), find(`tool ${name}`)];
    expect(below?.parentSpanContext?.spanId).toBe(above?.spanContext().spanId);
    expect(below?.spanContext().traceId).toBe(above?.spanContext().traceId);
  }
  expect(find("execute_tool lamp")?.attributes).toMatchObject({ "voxbus.tool.outcome": "refused" });
  expect(find("tool lamp")?.status).toEqual({ code: SpanStatusCode.ERROR });
  const texts = JSON.stringify(
    spans.getFinishedSpans().map(({ attributes, events, status }) => [attributes, events, status]),
  );
  expect(texts).not.toContain("secret");
});
