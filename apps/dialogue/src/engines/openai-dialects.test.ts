import {
  callNotations,
  dialects,
  startModelServer,
  type ChatEvent,
  type ChatRequest,
  type Dialect,
} from "@voxbus/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { createOpenAiEngine, type OpenAiOptions } from "./openai.ts";
import { createTestPool, collectText, createAccess, createRequest, setVolume } from "./test-request.ts";

const volume = "self_audio_speaker_set_volume";
const reboot = { name: "self.reboot", description: "", inputSchema: {} };

/** Calls the tools that the question names, and then says what they gave. */
function answer({ messages, tools }: ChatRequest): readonly ChatEvent[] {
  const last = messages.at(-1);
  if (last?.role === "tool") {
    const results = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
    return ["Do", `ne: ${results.join(", ")}.`];
  }
  const question =
    messages
      .findLast(({ role }) => role === "user")
      ?.content?.split("\n\n")
      .at(-1) ?? "";
  if (tools === undefined && !question.includes("blindly")) return ["I can", " only talk."];
  const calls = question.match(/\d+|reboot/g) ?? [];
  return [
    "Wait. ",
    ...calls.map((call) =>
      call === "reboot" ? { name: "self_reboot", args: "{}" } : { name: volume, args: `{"volume":${call}}` },
    ),
  ];
}

async function create(dialect: Partial<Dialect> = {}, options: Partial<OpenAiOptions> = {}) {
  const server = await startModelServer({ chat: answer }, { dialect: { ...dialects.openai, ...dialect } });
  onTestFinished(() => server.close());
  const limits = { firstTokenMs: 15_000, nextTokenMs: 15_000, rounds: 3, identify: true };
  const engine = createOpenAiEngine({ url: server.url, pool: createTestPool(), model: "test", ...limits, ...options });
  const calls: unknown[] = [];
  const ask = (text: string, list = [setVolume, reboot]) => {
    const call = async (name: string, args: object) => {
      calls.push([name, args]);
      return "true";
    };
    return collectText(engine, createRequest(text, { device: createAccess({ tools: { list, call } }) }));
  };
  return { engine, server, calls, ask };
}

const odd: readonly (readonly [string, Partial<Dialect>])[] = [
  ...Object.entries(dialects).filter(([, { refuses }]) => refuses.length === 0),
  ["whole arguments", { args: "whole" }],
  ["arguments as an object", { args: "object" }],
  ["arguments encoded twice", { args: "double" }],
  ["no index", { index: "none" }],
  ["index null", { index: "null" }],
  ["no id", { id: "none" }],
  ["an id that is new in each piece", { id: "fresh" }],
  ["an empty id after the first piece", { id: "then empty" }],
  ["the same id for all calls", { id: "same" }],
  ["neither index nor id", { index: "none", id: "none", args: "whole" }],
  ["index 0 for all calls", { index: "zero" }],
  ["index 0 and no id for all calls", { index: "zero", id: "none", args: "whole" }],
  ["a name in each piece", { repeatsName: true }],
  ["a name and a new id in each piece", { repeatsName: true, id: "fresh" }],
  ["the old field function_call", { calls: "old field" }],
  ["content in parts", { content: "parts" }],
  ["the role in each chunk", { role: "each" }],
  ["no role", { role: "none" }],
  ["thoughts in reasoning_content", { thoughts: "reasoning_content" }],
  ["thoughts in reasoning", { thoughts: "reasoning" }],
  ["thoughts in thinking", { thoughts: "thinking" }],
  ["thoughts in details", { thoughts: "details" }],
  ["thoughts as a part", { thoughts: "part", content: "parts" }],
  ["empty chunks", { emptyChunks: true }],
  ["finish_reason null", { finish: null }],
  ["finish_reason empty", { finish: "" }],
  ["an unknown finish_reason", { finish: "eos_token" }],
  ["no last chunk and no [DONE]", { finish: undefined, sendsDone: false }],
  ["the whole answer again at the end", { repeatsAnswer: true }],
  ["CRLF", { newline: "\r\n" }],
  ["CR", { newline: "\r" }],
  ["no space after data:", { prefix: "data:" }],
  ["lines of JSON without data:", { prefix: "" }],
  ["comments and event names", { comments: true }],
  ["one JSON object in place of a stream", { answersWhole: true }],
  ["one JSON object with arguments as an object", { answersWhole: true, args: "object" }],
  ...Object.keys(callNotations).flatMap((name) => {
    const calls = name as keyof typeof callNotations;
    return [1, 3, 1000].map(
      (textPiece) => [`calls in text (${name}) in pieces of ${textPiece}`, { calls, textPiece }] as const,
    );
  }),
];

test.each(odd)("openai: %s: a tool is called and the answer is spoken", async (_, dialect) => {
  const { ask, calls, server } = await create(dialect);
  expect(await ask("set it to 50")).toBe("Wait. Done: true.");
  expect(calls).toEqual([[setVolume.name, { volume: 50 }]]);
  expect(server.requests.chat).toHaveLength(2);
});

const severalInText = ["hermes", "glm", "qwen coder", "llama 3.2"];
test.each(odd.filter(([, { calls = "field" }]) => ["field", "old field", ...severalInText].includes(calls)))(
  "openai: %s: several calls, one without arguments, stay apart",
  async (_, dialect) => {
    const { ask, calls } = await create(dialect);
    expect(await ask("set it to 40, reboot, set it to 60")).toBe("Wait. Done: true, true, true.");
    expect(calls).toEqual([
      [setVolume.name, { volume: 40 }],
      [reboot.name, {}],
      [setVolume.name, { volume: 60 }],
    ]);
  },
);

test.each([
  ["empty arguments", ""],
  ["null", "null"],
  ["blanks", "  "],
])("openai: %s go back to the model as {}", async (_, args) => {
  const { ask, calls, server } = await create({ args: "whole" });
  server.script.chat = (request) =>
    request.messages.at(-1)?.role === "tool" ? ["Done."] : [{ name: "self_reboot", args }];
  expect(await ask("reboot")).toBe("Done.");
  expect(calls).toEqual([[reboot.name, {}]]);
  expect(JSON.stringify(server.requests.chat[1])).toContain(String.raw`"arguments":"{}"`);
});

test.each([
  ["malformed arguments", { name: volume, args: '{"volume":' }, "Error"],
  ["a list of arguments", { name: volume, args: "[50]" }, "Error"],
  ["an unknown name with illegal characters", { name: "set volume!", args: "{}" }, "Error"],
  ["no name", { name: "", args: "{}" }, "Error"],
])("openai: a call with %s is answered with an error that a strict server takes", async (_, call, start) => {
  const { ask, server } = await create({ args: "whole" });
  server.script.chat = ({ messages }) => (messages.at(-1)?.role === "tool" ? [`${messages.at(-1)?.content}`] : [call]);
  expect(await ask("go")).toMatch(new RegExp(`^${start}`));
});

test.each([
  ["tools", 400],
  ["tools", 404],
  ["tools", 422],
  ["tools", 500],
  ["tools", 501],
  ["system", 400],
  ["system", 500],
  ["user", 422],
] as const)(
  "openai: a server that refuses %s with %i is asked without them, and that is remembered",
  async (what, status) => {
    const told: unknown[] = [];
    const { ask, server } = await create({ refuses: [{ what, status }] }, { onRefused: (given) => told.push(given) });
    const expected = what === "tools" ? "I can only talk." : "Wait. Done: true.";
    expect(await ask("set it to 50")).toBe(expected);
    await expect.poll(() => told).toHaveLength(1);
    const first = server.requests.chat.length;
    expect(await ask("set it to 50")).toBe(expected);
    expect(server.requests.chat.length - first).toBe(what === "tools" ? 1 : 2);
    expect(told).toEqual([{ part: what === "system" ? "roles" : what, status }]);
  },
);

test("openai: a part that a server takes again is reported", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const told: unknown[] = [];
  const { ask, server } = await create(dialects["ollama, a model without tools"], {
    onRefused: ({ part }) => told.push(part),
    onTaken: (part) => told.push(`${part} again`),
  });
  expect(await ask("set it to 50")).toBe("I can only talk.");
  await expect.poll(() => told).toEqual(["tools"]);
  server.dialect = dialects.openai;
  vi.advanceTimersByTime(600_000);
  expect(await ask("set it to 50")).toBe("Wait. Done: true.");
  expect(told).toEqual(["tools", "tools again"]);
});

test("openai: a server that wants roles to alternate gets them", async () => {
  const { engine } = await create({ refuses: [{ what: "alternation", status: 500 }, { what: "tools", status: 500 }] }); // prettier-ignore
  const history = [
    { role: "assistant" as const, text: "A reminder.", at: 1 },
    { role: "user" as const, text: "One.", at: 2 },
    { role: "user" as const, text: "Two.", at: 3 },
  ];
  const call = async () => "true";
  const device = createAccess({ tools: { list: [setVolume], call } });
  expect(await collectText(engine, createRequest("hello", { history, device }))).toBe("I can only talk.");
});

test("openai: one answer of 500 does not take the tools away", async () => {
  const told: unknown[] = [];
  const { ask, server } = await create({}, { onRefused: (given) => told.push(given) });
  for (const failing of [1, 2]) {
    let count = 0;
    server.script.chat = (request) => ((count += 1) === failing ? 500 : answer(request));
    expect(await ask("set it to 50")).toBe("Wait. Done: true.");
  }
  expect(told).toEqual([]);
});

test.each<[string, (request: ChatRequest) => boolean]>([
  [
    "is too long with its tools",
    ({ messages, tools }) => tools !== undefined && JSON.stringify(messages).length > 3000,
  ],
  [
    "has a tool that the server cannot read",
    ({ tools }) => tools?.some((tool) => tool.function.name === "odd") === true,
  ],
])("openai: a request that %s is answered without them, and the next one has them", async (_, refuses) => {
  const told: unknown[] = [];
  const { ask, server } = await create({}, { onRefused: (given) => told.push(given) });
  server.script.chat = (request) => (refuses(request) ? 400 : answer(request));
  const odd = { ...setVolume, name: "odd" };
  expect(await ask(`set it to 50 ${"please ".repeat(600)}`, [setVolume, odd])).toBe("I can only talk.");
  await expect.poll(() => server.requests.chat.at(-1)?.messages.at(-1)?.content).toContain("Are you there?");
  expect(await ask("set it to 50")).toBe("Wait. Done: true.");
  expect(told).toEqual([]);
});

test("openai: a refusal that has another cause is reported as it is, and nothing is remembered", async () => {
  const told: unknown[] = [];
  const { ask, server } = await create({}, { onRefused: (given) => told.push(given) });
  server.script.chat = () => 400;
  await expect(ask("set it to 50")).rejects.toThrow('the model "test" failed');
  server.script.chat = answer;
  expect(await ask("set it to 50")).toBe("Wait. Done: true.");
  expect(told).toEqual([]);
});

test.each([
  ["nothing", {}],
  ["a list", { type: "array", items: { type: "string" } }],
  ["a text", { type: "string" }],
  ["no properties", { type: "object" }],
  ["null in its fields", { type: "object", properties: null, required: null, description: null }],
  ["a union at the top", { anyOf: [{ type: "object" }, { type: "null" }] }],
  ["a nullable object", { type: ["object", "null"], properties: { volume: { type: "integer" } } }],
  ["required as true", { type: "object", properties: { volume: { type: "integer", required: true } }, required: true }],
  ["required names that no property has", { type: "object", properties: {}, required: ["volume"] }],
  ["a list without items", { type: "object", properties: { days: { type: "array" } } }],
  ["a list of tuples", { type: "object", properties: { days: { type: "array", items: [{ type: "string" }] } } }],
  ["names of types from programs", { type: "object", properties: { a: { type: "int" }, b: { type: "float" }, c: { type: "bool" }, d: { type: "str" }, e: { type: "any" } } }], // prettier-ignore
  ["properties that are types", { type: "object", properties: { a: "integer", b: true, c: null } }],
  ["an empty enum", { type: "object", properties: { a: { type: "string", enum: [] } } }],
  ["a deep fault", { type: "object", properties: { a: { type: "object", properties: { b: { type: "array", items: { type: "array" } } } } } }], // prettier-ignore
])("openai: a tool whose schema has %s reaches a strict server as a valid one", async (_, inputSchema) => {
  const { ask, server } = await create();
  expect(await ask("set it to 50", [{ ...setVolume, inputSchema }])).toBe("Wait. Done: true.");
  expect(server.requests.chat[0]?.tools?.[0]?.function.parameters).toMatchObject({ type: "object" });
});

test("openai: what looks like a call without being one is text", async () => {
  const { ask, server } = await create();
  const say = async (...pieces: string[]) => {
    server.script.chat = () => pieces;
    return ask("hello");
  };
  expect(await say("2 <", " 3 and [", "TOOL] and <to", "ol>.")).toBe("2 < 3 and [TOOL] and <tool>.");
  expect(await say('{"answer": ', "42}")).toBe('{"answer": 42}');
  expect(await say("ends with <tool_c")).toBe("ends with <tool_c");
});

test("openai: a call in text is never spoken, also without tools, malformed or cut off", async () => {
  const { ask } = await create({ calls: "hermes" });
  expect(await ask("blindly set it to 50", [])).toContain("Wait. ");
  const { ask: cut, server } = await create();
  server.script.chat = ({ messages }) =>
    messages.at(-1)?.role === "tool" ? ["Sorry."] : ["Well. ", "<tool_call>", '{"name": "self_re'];
  expect(await cut("go")).toMatch(/^Well\. (?:Sorry\.)?$/);
});

test.each([
  ["an error object", 'data: {"error":{"message":"overloaded","code":"overloaded"}}\n\n'],
  ["an error text", 'data: {"error":"overloaded"}\n\n'],
  ["an error without a wrapper", 'data: {"object":"error","message":"overloaded","code":500}\n\n'],
  ["an error event", 'event: error\ndata: {"message":"overloaded"}\n\n'],
  ["an error line", 'error: {"code":500,"message":"overloaded"}\n\n'],
  ["an error in bare JSON", '{"error":{"message":"overloaded"}}\n\n'],
])("openai: %s in the stream is a failure after the text before it", async (_, raw) => {
  const { engine, server } = await create();
  server.script.chat = () => ["Well, ", { raw }];
  const texts: string[] = [];
  const read = async () => {
    for await (const delta of engine.respond(createRequest("hi"), new AbortController().signal))
      if (delta.type === "text") texts.push(delta.text);
  };
  await expect(read()).rejects.toThrow('the model "test" failed');
  expect(texts).toEqual(["Well, "]);
});
