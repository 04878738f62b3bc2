import { inspect } from "node:util";
import { Profile } from "@voxbus/protocol";
import { describeCause } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import {
  startModelServer,
  type ChatEvent,
  type ChatRequest,
  type ErrorAnswer,
  type ModelServer,
} from "@voxbus/testing";
import { testEngine } from "./engine.suite.ts";
import { ModelTimeoutError, type Delta } from "./engine.ts";
import { createOpenAiEngine, type OpenAiOptions } from "./openai.ts";
import { createMessages } from "./openai-messages.ts";
import { createTestPool, collectText, createAccess, createRequest, setVolume } from "./test-request.ts";

function answerLikeAModel({ messages, tools }: ChatRequest): readonly ChatEvent[] | number | ErrorAnswer {
  const last = messages.at(-1)?.content?.split("\n\n").at(-1) ?? "";
  if (messages.at(-1)?.role === "tool") return [`Done: ${last}`];
  if (last.startsWith("Your answer was cut off")) return ["And the rest."];
  if (last === "set the volume to fifty" && tools !== undefined) {
    return ["Wait. ", { name: tools[0]?.function.name ?? "", args: '{"volume":50}' }];
  }
  if (last === "call nonsense") return [{ name: "nonsense", args: "{" }];
  if (last === "fail") return 500;
  if (last === "fail later") return ["Well, ", { end: "fail" }];
  if (last === "hang") return [{ end: "hang" }];
  if (last === "hang later") return ["Well, ", { end: "hang" }];
  if (last === "nothing") return [];
  if (last.startsWith("refuse: "))
    return { status: 400, body: { error: { message: last, param: last, code: last, type: last } } };
  if (last.startsWith("break: "))
    return ["Well, ", { raw: `data: {"error":{"message":"${last}","code":"overloaded"}}\n\n` }];
  if (last.startsWith("garble: ")) return ["Well, ", { raw: `data: ${last.slice(8)}\n\n` }];
  return ["Hel", "lo, you said ", last, "."];
}

// Clients keep the function that they find when they are created.
const printed = vi.spyOn(console, "error").mockReturnValue();
let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ chat: answerLikeAModel });
});
afterEach(() => {
  server.script.chat = answerLikeAModel;
});
afterAll(() => server.close());

function createEngine(rest: Partial<OpenAiOptions> = {}) {
  const options = {
    url: server.url,
    pool: createTestPool(),
    model: "test",
    firstTokenMs: 15_000,
    nextTokenMs: 15_000,
    rounds: 3,
    identify: true,
  };
  return createOpenAiEngine({ ...options, ...rest });
}

testEngine("openai", {
  create: async () => createEngine(),
  known: "hello there",
  beginning: "Hello, you",
  hint: "understand",
});

test.each([
  ["fail", 0],
  ["fail later", 1],
])("openai: a model that does %j throws after its text", async (text, count) => {
  const deltas: Delta[] = [];
  const read = async () => {
    for await (const delta of createEngine().respond(createRequest(text), new AbortController().signal)) {
      deltas.push(delta);
    }
  };
  await expect(read()).rejects.toThrow('the model "test"');
  expect(deltas).toHaveLength(count);
});

test("openai: the endpoint learns whose turn it answers in every request of it, unless that is off", async () => {
  const seen: unknown[] = [];
  server.script.chat = (request, { headers }) => {
    seen.push([request.user, ...["device", "session", "turn"].map((name) => headers[`x-voxbus-${name}`])]);
    return answerLikeAModel(request);
  };
  const expected = ["aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff", "s1", "12"];
  const none = [undefined, undefined, undefined, undefined];
  const turn = { device: "aa:bb:cc:dd:ee:ff", session: "s1", origin: 12, since: performance.now() };
  const device = createAccess({ tools: { list: [setVolume], call: async () => "true" } });
  const request = createRequest("set the volume to fifty", { turn, device });
  await collectText(createEngine(), request);
  expect(seen).toEqual([expected, expected]);
  seen.splice(0);
  await collectText(createEngine({ identify: false }), request);
  expect(seen).toEqual([none, none]);
});

test("openai: an answer without words is no failure, an answer without anything is", async () => {
  expect(await collectText(createEngine(), createRequest("nothing"))).toBe("");
  for (const body of ["", "data: [DONE]\n\n", 'data: {"choices":[]}\n\ndata: [DONE]\n\n']) {
    server.script.chat = () => ({ status: 200, body });
    await expect(collectText(createEngine(), createRequest("hi"))).rejects.toThrow('the model "test"');
  }
});

test.each(["length", "content_filter"])("openai: an answer that ends with %j is cut", async (reason) => {
  const chunk = { choices: [{ index: 0, delta: { content: "" }, finish_reason: reason }] };
  server.script.chat = () => [{ raw: `data: ${JSON.stringify(chunk)}\n\n` }];
  const deltas: Delta[] = [];
  for await (const delta of createEngine().respond(createRequest("hi"), new AbortController().signal))
    deltas.push(delta);
  expect(deltas).toEqual([{ type: "cut", reason }]);
});

test.each([
  ["refuse", { name: "BadRequestError", status: 400 }],
  ["break", { name: "APIError", code: "overloaded" }],
  ["garble", { name: "SyntaxError" }],
])(
  "openai: a model whose error quotes the question (%s): the engine's error does not, and nothing is printed",
  async (how, cause) => {
    const failure = collectText(createEngine(), createRequest(`${how}: rash, what can I do?`)).catch(
      (error: unknown) => error,
    );
    const error = await failure;
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain("rash");
    expect(describeCause(error)).toEqual(cause);
    expect(printed).not.toHaveBeenCalled();
  },
);

test.each([
  ["hang", { firstTokenMs: 300 }],
  ["hang later", { nextTokenMs: 300 }],
])("openai: a model that does %j times out", async (text, patience) => {
  await expect(collectText(createEngine(patience), createRequest(text))).rejects.toThrow(ModelTimeoutError);
});

test("openai: a server that does not listen is a failure, and there is no retry", async () => {
  const gone = await startModelServer({ chat: () => [] });
  await gone.close();
  const engine = createEngine({ url: gone.url, model: "m", firstTokenMs: 300, nextTokenMs: 300, rounds: 1 });
  await expect(collectText(engine, createRequest("hi"))).rejects.toThrow('the model "m" failed');
});

test("openai: an abort in mid-answer ends it without an error, and the server sees the client leave", async () => {
  const abort = new AbortController();
  const cancelled = server.whenCancelled();
  let text = "";
  for await (const delta of createEngine().respond(createRequest("hang later"), abort.signal)) {
    if (delta.type === "text") text += delta.text;
    abort.abort();
  }
  await cancelled;
  expect(text).toBe("Well, ");
});

test("openai: history, prompt and the spoken part reach the model in their places", async () => {
  const profile = Profile.parse({ prompt: "Speak like a pirate.", timeZone: "Asia/Shanghai" });
  const history = [
    { role: "user" as const, text: "hi", at: 1 },
    { role: "assistant" as const, text: "ahoy", at: 2 },
  ];
  const request = createRequest("and?", { profile, history, spoken: "Once." });
  expect(await collectText(createEngine(), request)).toBe("And the rest.");
  const { messages } = server.requests.chat.at(-1) ?? { messages: [] };
  expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user", "assistant", "user"]);
  expect(messages[0]?.content).toMatch(/^Speak like a pirate\.[^]*Asia\/Shanghai/);
  expect(messages[4]?.content).toBe("Once.");
});

test("openai: the profile's variables are filled in its prompt, and its parameters reach the model", async () => {
  const prompt = "You are {name}, in the {place}. {{name}} {other}";
  const model = { temperature: 0.2, topP: 0.9, maxTokens: 99 };
  const profile = Profile.parse({ prompt, name: "Ada", place: "hall", model });
  await collectText(createEngine(), createRequest("and?", { profile }));
  const request = server.requests.chat.at(-1)!;
  expect(request).toMatchObject({ temperature: 0.2, top_p: 0.9, max_tokens: 99 });
  expect(request.messages[0]?.content).toMatch(/^You are Ada, in the hall\. \{name\} \{other\}\n/);
  await collectText(createEngine(), createRequest("and?"));
  expect(server.requests.chat.at(-1)).not.toHaveProperty("temperature");
});

test("openai: a server that refuses the parameters is asked without them", async () => {
  const request = createRequest("and?", { profile: Profile.parse({ model: { maxTokens: 99 } }) });
  const { chat } = server.script;
  server.script.chat = (asked, context) => ("max_tokens" in asked ? 400 : chat(asked, context));
  onTestFinished(() => void (server.script.chat = chat));
  expect(await collectText(createEngine(), request)).not.toBe("");
  expect(server.requests.chat.some((asked) => "max_tokens" in asked)).toBe(true);
});

test("openai: calls of earlier turns are followed by their results, and marks tell where an answer ended", async () => {
  const calls = [
    { name: "self.audio_speaker.set_volume", args: '{"volume":5}', text: "true" },
    { name: "self.lamp", args: "{}", text: "Error: broken" },
  ];
  const history = [
    { role: "user" as const, text: "louder", at: 1 },
    { role: "assistant" as const, text: "", at: 1, calls, end: "interrupted" as const },
    { role: "user" as const, text: "and a story", at: 2 },
    { role: "assistant" as const, text: "Once.", at: 2, calls: [], end: "interrupted" as const },
    { role: "user" as const, text: "why", at: 3 },
    { role: "assistant" as const, text: "", at: 3, calls: [], end: "failed" as const },
  ];
  const device = createAccess({ tools: { list: [setVolume], call: async () => "true" } });
  const [system, ...messages] = createMessages(createRequest("and?", { history, device }));
  expect(system?.content).toMatch(/Never say them\.$/);
  const ids = messages.flatMap((message) => ("tool_calls" in message ? message.tool_calls!.map(({ id }) => id) : []));
  expect(ids.every((id) => /^[a-z0-9]{9}$/.test(id)) && new Set(ids).size === 2).toBe(true);
  const call = (id: string | undefined, name: string, args: string) => {
    return {
      role: "assistant",
      content: null,
      tool_calls: [{ id, type: "function", function: { name, arguments: args } }],
    };
  };
  expect(messages).toEqual([
    { role: "user", content: "louder" },
    call(ids[0], "self_audio_speaker_set_volume", '{"volume":5}'),
    { role: "tool", tool_call_id: ids[0], content: "true" },
    call(ids[1], "self_lamp", "{}"),
    { role: "tool", tool_call_id: ids[1], content: "Error: broken" },
    { role: "assistant", content: "[interrupted]" },
    { role: "user", content: "and a story" },
    { role: "assistant", content: "Once. [interrupted]" },
    { role: "user", content: "why" },
    { role: "assistant", content: "[no answer]" },
    { role: "user", content: "and?" },
  ]);
  const withoutTools = createMessages(createRequest("and?", { history })).map(({ role }) => role);
  expect(withoutTools).toEqual(["system", "user", "assistant", "user", "assistant", "user", "assistant", "user"]);
});

test("openai: the model is told when it calls an unknown function with malformed arguments", async () => {
  expect(await collectText(createEngine(), createRequest("call nonsense"))).toBe(
    'Done: Error: there is no function "nonsense".',
  );
});
