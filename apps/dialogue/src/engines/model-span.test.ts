import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { core, node, tracing } from "@opentelemetry/sdk-node";
import { Profile } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOpenaiEngine } from "./openai.ts";
import { ToolError, type Turn } from "./engine.ts";
import { traceTool } from "./model-span.ts";

const spans = new tracing.InMemorySpanExporter();
const asked: { readonly stream_options?: object }[] = [];
let refuses = false;
let server: Server;
let url: string;

/** A model's server that tells its usage, or refuses to be asked for it. */
async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
  const question = JSON.parse(body) as (typeof asked)[number];
  asked.push(question);
  if (question.stream_options && refuses) {
    response.writeHead(422, { "content-type": "application/json" }).end('{"error":{"message":"extra_forbidden"}}');
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };
  const chunks = [
    { choices: [{ index: 0, delta: { content: "Secret " } }] },
    { choices: [{ index: 0, delta: { content: "words." } }] },
    ...(question.stream_options ? [{ choices: [], usage }] : []),
  ];
  for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  response.end("data: [DONE]\n\n");
}

beforeAll(async () => {
  new node.NodeTracerProvider({ spanProcessors: [new tracing.SimpleSpanProcessor(spans)] }).register({
    propagator: new core.W3CTraceContextPropagator(),
  });
  server = createServer((request, response) => void respond(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => server.close());
afterEach(() => {
  refuses = false;
  asked.length = 0;
  spans.reset();
});

const turn: Turn = {
  text: "my secret",
  language: "en",
  history: [],
  profile: Profile.parse({}),
  features: {},
  tools: { list: [], call: () => Promise.reject(new ToolError("no tools")) },
  reminders: { schedule: async () => undefined, cancel: async () => 0 },
  said: "",
};

async function ask(engine = createEngine()): Promise<string> {
  let text = "";
  for await (const delta of engine.respond(turn, new AbortController().signal))
    if (delta.type === "text") text += delta.text;
  return text;
}
const createEngine = () =>
  createOpenaiEngine({ url, model: "small", firstTokenMs: 10_000, nextTokenMs: 10_000, rounds: 1 });

test("chat: a CLIENT span with the model, its first token and what it counted, and not a word of it", async () => {
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

test("chat: a server that refuses to count answers all the same, and is asked for it once", async () => {
  refuses = true;
  const engine = createEngine();
  expect(await ask(engine)).toBe("Secret words.");
  expect(await ask(engine)).toBe("Secret words.");
  expect(asked.map((question) => question.stream_options !== undefined)).toEqual([true, false, false]);
  expect(spans.getFinishedSpans().map(({ status }) => status.code)).toEqual([0, 0]);
});

test("execute_tool: a call that fails is named by its error's class", async () => {
  await expect(traceTool("light", () => Promise.reject(new ToolError("my secret")))).rejects.toThrow("my secret");
  const [span] = spans.getFinishedSpans();
  expect(span).toMatchObject({ name: "execute_tool light", status: { code: SpanStatusCode.ERROR } });
  expect(span?.attributes["error.type"]).toBe("ToolError");
  expect(JSON.stringify([span?.attributes, span?.status, span?.events])).not.toContain("secret");
});
