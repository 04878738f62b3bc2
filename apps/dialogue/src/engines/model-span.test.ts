import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { core, node, tracing } from "@opentelemetry/sdk-node";
import { startModelServer, type ChatEvent, type ChatRequest, type ModelServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ToolError } from "./engine.ts";
import { traceTool } from "./model-span.ts";
import { createOpenAiEngine, type OpenAiOptions } from "./openai.ts";
import { createTestPool, collectText, createRequest } from "./test-request.ts";

const spans = new tracing.InMemorySpanExporter();
let refusesUsage = false;
let server: ModelServer;

const asksForUsage = (request: ChatRequest) => "stream_options" in request;

/** Answers like a server that reports its usage, or refuses that option. */
function answer(request: ChatRequest): readonly ChatEvent[] | number {
  if (!asksForUsage(request)) return ["Secret ", "words."];
  if (refusesUsage) return 422;
  const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };
  return ["Secret ", "words.", { raw: `data: ${JSON.stringify({ choices: [], usage })}\n\n` }];
}

beforeAll(async () => {
  new node.NodeTracerProvider({ spanProcessors: [new tracing.SimpleSpanProcessor(spans)] }).register({
    propagator: new core.W3CTraceContextPropagator(),
  });
  server = await startModelServer({ chat: answer });
});
afterAll(() => server.close());
afterEach(() => {
  refusesUsage = false;
  spans.reset();
});

const ask = (engine = createEngine()) => collectText(engine, createRequest("my secret"));
const createEngine = (onRefused?: OpenAiOptions["onRefused"]) =>
  createOpenAiEngine({
    url: server.url,
    pool: createTestPool(),
    model: "small",
    firstTokenMs: 10_000,
    nextTokenMs: 10_000,
    rounds: 1,
    identify: true,
    onRefused,
  });

test("chat: a CLIENT span with the model, its first token and its usage, without any text", async () => {
  expect(await ask()).toBe("Secret words.");
  const [span] = spans.getFinishedSpans();
  expect(span).toMatchObject({ name: "chat small", kind: SpanKind.CLIENT });
  expect(span?.attributes).toEqual({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "small",
    "gen_ai.output.type": "text",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 3,
  });
  expect(span?.events.map(({ name, attributes }) => [name, attributes])).toEqual([["first token", {}]]);
});

test("chat: the server's span is a child of it", async () => {
  let seen: unknown;
  server.script.chat = (_, { headers }) => {
    seen = headers["traceparent"];
    return ["Yes."];
  };
  await ask();
  server.script.chat = answer;
  const [span] = spans.getFinishedSpans();
  expect(seen).toBe(`00-${span?.spanContext().traceId}-${span?.spanContext().spanId}-01`);
});

test("chat: a server that refuses to report usage still answers, and is asked for usage once more in a small request", async () => {
  refusesUsage = true;
  const told: unknown[] = [];
  const engine = createEngine((refused) => told.push(refused.part));
  const before = server.requests.chat.length;
  expect(await ask(engine)).toBe("Secret words.");
  await expect.poll(() => told).toEqual(["usage"]);
  expect(server.requests.chat.at(-1)?.messages.at(-1)?.content).toContain("Are you there?");
  expect(await ask(engine)).toBe("Secret words.");
  expect(server.requests.chat.slice(before).map(asksForUsage)).toEqual([true, false, true, false]);
  expect(spans.getFinishedSpans().map(({ status }) => status.code)).toEqual([0, 0]);
});

test("execute_tool: a failed call has the name of its error, without its text", async () => {
  await expect(traceTool("light", () => Promise.reject(new ToolError("my secret")))).rejects.toThrow("my secret");
  const [span] = spans.getFinishedSpans();
  expect(span).toMatchObject({ name: "execute_tool light", status: { code: SpanStatusCode.ERROR } });
  expect(span?.attributes["error.type"]).toBe("ToolError");
  expect(JSON.stringify([span?.attributes, span?.status, span?.events])).not.toContain("secret");
});
