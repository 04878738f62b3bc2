import { modelHint } from "@voxbus/intents";
import { Profile } from "@voxbus/protocol";
import { startModelServer, type ChatEvent, type ChatRequest, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEmbeddedEngine } from "./embedded.ts";
import { createOpenaiEngine } from "./openai.ts";
import { ModelTimeoutError, ToolError, type Delta, type LlmEngine, type Tool, type Turn } from "./engine.ts";
import { nameFunctions } from "./tool-names.ts";

const setVolume: Tool = {
  name: "self.audio_speaker.set_volume",
  description: "Set the volume",
  inputSchema: { type: "object", properties: { volume: { type: "integer" } } },
};

function createTurn(text: string, rest: Partial<Turn> = {}): Turn {
  const tools = { list: [], call: () => Promise.reject(new ToolError("no tools")) };
  const reminders = { schedule: async () => undefined, cancel: async () => 0 };
  const profile = Profile.parse({});
  return { text, language: "en", history: [], profile, features: {}, tools, reminders, said: "", ...rest };
}

async function collect(engine: LlmEngine, turn: Turn, signal = new AbortController().signal): Promise<string> {
  let text = "";
  for await (const delta of engine.respond(turn, signal)) if (delta.type === "text") text += delta.text;
  return text;
}

function answerLikeAModel({ messages, tools }: ChatRequest): readonly ChatEvent[] | number {
  const last = messages.at(-1)?.content ?? "";
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
  return ["Hel", "lo, you said ", last, "."];
}

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ chat: answerLikeAModel });
});
afterAll(() => server.close());

const patient = { firstTokenMs: 15_000, nextTokenMs: 15_000 };
const createOpenai = (patience: Partial<typeof patient> = {}) =>
  createOpenaiEngine({ url: server.url, model: "test", ...patient, ...patience, rounds: 3 });

const engines = [
  { create: () => createEmbeddedEngine(), known: "tell me a long story", hint: "help", cutAt: "Okay." },
  { create: () => createOpenai(), known: "hello there", hint: "understand", cutAt: "Hello, you" },
];

describe.each(engines)("$create", ({ create, known, hint, cutAt }) => {
  test("engine: an answer has text, and no two turns touch each other", async () => {
    const engine = create();
    const alone = await collect(engine, createTurn(known));
    expect(alone.length).toBeGreaterThan(5);
    const many = await Promise.all(Array.from({ length: 10 }, () => collect(engine, createTurn(known))));
    expect(many).toEqual(Array.from({ length: 10 }, () => alone));
  });

  test("engine: text it was given finds its way into the answer", async () => {
    expect(await collect(create(), createTurn("pineapples are blue"))).toContain("pineapples are blue");
  });

  test("engine: rejected speech is answered with an apology", async () => {
    const answer = await collect(create(), createTurn("", { reason: "unrecognised" }));
    expect(answer).toContain("sorry");
    expect(answer).toContain(hint);
    const silence = createTurn("", { reason: "silence", language: "zh-CN" });
    expect(await collect(create(), silence)).toContain(create().language === "en" ? "did not hear" : "没有听到");
  });

  test("engine: a device's tool is called by its real name", async () => {
    const calls: unknown[] = [];
    const call = async (name: string, args: object) => {
      calls.push([name, args]);
      return "true";
    };
    const turn = createTurn("set the volume to fifty", { tools: { list: [setVolume], call } });
    expect(await collect(create(), turn)).not.toBe("");
    expect(calls).toEqual([[setVolume.name, { volume: 50 }]]);
  });

  test("engine: a tool that fails is answered all the same", async () => {
    const call = () => Promise.reject(new ToolError("the device did not answer"));
    const turn = createTurn("set the volume to fifty", { tools: { list: [setVolume], call } });
    expect(await collect(create(), turn)).toContain("did not");
  });

  test("engine: aborted before it began it says nothing, aborted in a tool call it ends at once", async () => {
    expect(await collect(create(), createTurn(known), AbortSignal.abort())).toBe("");
    const abort = new AbortController();
    const call = (_: string, __: object, signal?: AbortSignal) =>
      new Promise<string>((_, reject) => {
        signal?.addEventListener("abort", () => reject(new ToolError("aborted")));
        abort.abort();
      });
    const turn = createTurn("set the volume to fifty", { tools: { list: [setVolume], call } });
    expect(await collect(create(), turn, abort.signal)).not.toContain("one");
  });

  test("engine: what it said already is not said again", async () => {
    expect(await collect(create(), createTurn(known, { said: cutAt }))).not.toContain(cutAt);
  });
});

describe("embedded", () => {
  test("embedded: text outside the table is repeated, and how to connect a model is told once", async () => {
    const engine = createEmbeddedEngine();
    const first = await collect(engine, createTurn("what is love?"));
    expect(first).toBe(`You said: what is love? ${modelHint}`);
    const history = [{ role: "assistant" as const, text: first, at: 1 }];
    expect(await collect(engine, createTurn("what is love?", { history }))).toBe("You said: what is love?");
    expect(await collect(engine, createTurn("你好吗", { history }))).toBe("你说的是：你好吗。");
  });

  test("embedded: a successor goes on behind what was said, and stops where the answer is another one", async () => {
    const engine = createEmbeddedEngine();
    const whole = await collect(engine, createTurn("tell me a story"));
    const said = `${whole.slice(0, 70)}  `;
    expect(await collect(engine, createTurn("tell me a story", { said }))).toBe(whole.slice(70).trim());
    expect(await collect(engine, createTurn("tell me a story", { said: "Something else." }))).toBe("");
    expect(await collect(engine, createTurn("tell me a story", { said: whole }))).toBe("");
  });

  test("embedded: a timer reaches the reminders", async () => {
    const scheduled: [number, string][] = [];
    const reminders = {
      schedule: async (ms: number, text: string) => void scheduled.push([ms, text]),
      cancel: async () => 0,
    };
    await collect(createEmbeddedEngine(), createTurn("set a timer for ten seconds", { reminders }));
    expect(scheduled).toEqual([[10_000, "Your timer is done. 10 seconds have passed."]]);
  });
});

describe("openai", () => {
  test.each([
    ["fail", 0],
    ["fail later", 1],
    ["nothing", 0],
  ])("openai: a model that does %j throws after what it gave", async (text, given) => {
    const deltas: Delta[] = [];
    const read = async () => {
      for await (const delta of createOpenai().respond(createTurn(text), new AbortController().signal)) {
        deltas.push(delta);
      }
    };
    await expect(read()).rejects.toThrow('the model "test"');
    expect(deltas).toHaveLength(given);
  });

  test.each([
    ["hang", { firstTokenMs: 300 }],
    ["hang later", { nextTokenMs: 300 }],
  ])("openai: a model that does %j is given up in time", async (text, patience) => {
    await expect(collect(createOpenai(patience), createTurn(text))).rejects.toThrow(ModelTimeoutError);
  });

  test("openai: nobody listening is a failure, not silence, and is not tried again", async () => {
    const gone = await startModelServer({ chat: () => [] });
    await gone.close();
    const engine = createOpenaiEngine({ url: gone.url, model: "m", firstTokenMs: 300, nextTokenMs: 300, rounds: 1 });
    await expect(collect(engine, createTurn("hi"))).rejects.toThrow('the model "m" failed');
  });

  test("openai: an abort in mid-answer ends quietly and the server sees the client go", async () => {
    const abort = new AbortController();
    const cancelled = server.whenCancelled();
    let text = "";
    for await (const delta of createOpenai().respond(createTurn("hang later"), abort.signal)) {
      if (delta.type === "text") text += delta.text;
      abort.abort();
    }
    await cancelled;
    expect(text).toBe("Well, ");
  });

  test("openai: history, prompt and what was said already reach the model in their place", async () => {
    const profile = Profile.parse({ prompt: "Speak like a pirate.", timeZone: "Asia/Shanghai" });
    const history = [
      { role: "user" as const, text: "hi", at: 1 },
      { role: "assistant" as const, text: "ahoy", at: 2 },
    ];
    expect(await collect(createOpenai(), createTurn("and?", { profile, history, said: "Once." }))).toBe(
      "And the rest.",
    );
    const { messages } = server.requests.chat.at(-1) ?? { messages: [] };
    expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user", "assistant", "user"]);
    expect(messages[0]?.content).toMatch(/^Speak like a pirate\.[^]*Asia\/Shanghai/);
    expect(messages[4]?.content).toBe("Once.");
  });

  test("openai: a call of an unknown function with broken arguments is told to the model", async () => {
    expect(await collect(createOpenai(), createTurn("call nonsense"))).toBe(
      'Done: Error: there is no function "nonsense".',
    );
  });

  test("openai: function names are plain, at most 64 long, and lead back to their tools", () => {
    const names = ["self.a.b", "self_a_b", "self-a-b", `x${"y.".repeat(50)}`, `x${"y.".repeat(50)}z`];
    const { tools, toolOf } = nameFunctions(names.map((name) => ({ ...setVolume, name })));
    const given = tools.map((tool) => (tool.type === "function" ? tool.function.name : ""));
    expect(given.slice(0, 3)).toEqual(["self_a_b", "self_a_b_2", "self-a-b"]);
    expect(given.every((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name))).toBe(true);
    expect(given.map((name) => toolOf.get(name)?.name)).toEqual(names);
  });
});
