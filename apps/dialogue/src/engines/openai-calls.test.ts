import { startModelServer, type ChatEvent, type ChatRequest } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { createOpenAiEngine } from "./openai.ts";
import { createTestPool, collectText, createAccess, createRequest, setVolume } from "./test-request.ts";

const volume = "self_audio_speaker_set_volume";
const chunk = (delta: object): ChatEvent => ({
  raw: `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`,
});

/** Lets the model stream these events, then say what the tool gave. Gives the answer, the calls and the second request. */
async function answer(...events: readonly ChatEvent[]) {
  const calls: unknown[] = [];
  let second: ChatRequest | undefined;
  const text = await converse((request) => {
    const { messages } = request;
    if (messages.at(-1)?.role !== "tool") return events;
    second ??= request;
    return [`${messages.at(-1)?.content}`];
  }, calls);
  const results = calls.length;
  return { text, calls, second: second?.messages.at(-1 - results) };
}

/** Asks a model that answers with `chat`. Resolves with its text; `calls` gets the calls that it makes. */
async function converse(
  chat: (request: ChatRequest) => readonly ChatEvent[] | number,
  calls: unknown[],
): Promise<string> {
  const server = await startModelServer({ chat });
  onTestFinished(() => server.close());
  const limits = { firstTokenMs: 15_000, nextTokenMs: 15_000, rounds: 3, identify: true };
  const engine = createOpenAiEngine({ url: server.url, pool: createTestPool(), model: "test", ...limits });
  const call = async (name: string, args: object) => {
    calls.push([name, args]);
    return "true";
  };
  const device = createAccess({ tools: { list: [setVolume], call } });
  return collectText(engine, createRequest("set it to 50", { device }));
}

test.each([
  ["the tool's own name", setVolume.name, '{"volume":50}'],
  ["a name space of functions", `functions.${volume}:0`, '{"volume":50}'],
  ["a name space of an API", `default_api.${volume}`, '{"volume":50}'],
  ["a number in quotes", volume, '{"volume":"50"}'],
  ["a code fence around the arguments", volume, '```json\n{"volume":50}\n```'],
  ["one brace too many", volume, '{"volume":50}}'],
])("openai: a call with %s is made as it was meant", async (_, name, args) => {
  expect(await answer({ name, args })).toMatchObject({ text: "true", calls: [[setVolume.name, { volume: 50 }]] });
});

test.each([
  ["beside the call", false],
  ["in a piece of its own", true],
])("openai: an extra field %s goes back with the call", async (_, isApart) => {
  const extra = { extra_content: { google: { thought_signature: "abc" } } };
  const call = { index: 0, id: "c1", type: "function", function: { name: volume, arguments: '{"volume":50}' } };
  const pieces = isApart
    ? [chunk({ tool_calls: [call] }), chunk({ tool_calls: [{ index: 0, ...extra }] })]
    : [chunk({ tool_calls: [{ ...call, ...extra }] })];
  expect((await answer(...pieces)).second).toMatchObject({ tool_calls: [{ id: "c1", ...extra }] });
});

test("openai: calls without an index, in alternating pieces, are told apart by their ids", async () => {
  const part = (id: string, args: string, name?: string) =>
    chunk({ tool_calls: [{ id, type: "function", function: { name, arguments: args } }] });
  const pieces = [part("a", '{"vol', volume), part("b", "{", "another"), part("a", 'ume":50}'), part("b", "}")];
  expect((await answer(...pieces)).calls).toEqual([[setVolume.name, { volume: 50 }]]);
});

test("openai: a call without an id gets one that no other call has", async () => {
  const part = (index: number, id?: string) =>
    chunk({ tool_calls: [{ index, id, type: "function", function: { name: volume, arguments: '{"volume":50}' } }] });
  const { second } = await answer(part(0, "call00001"), part(1));
  const { tool_calls: calls = [] } = second as { tool_calls?: readonly { readonly id: string }[] };
  expect(calls[0]?.id).toBe("call00001");
  expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
});

test("openai: a model that calls tools without end is stopped, and that is a failure if it says nothing", async () => {
  const call = { name: volume, args: '{"volume":50}' };
  for (const [words, outcome] of [
    ["", "called tools after 3 rounds"],
    ["Louder.", undefined],
  ] as const) {
    const made: unknown[] = [];
    const run = converse(() => (words === "" ? [call] : [words, call]), made);
    if (outcome === undefined) expect(await run).toBe("Louder.Louder.Louder.Louder.");
    else await expect(run).rejects.toThrow(outcome);
    expect(made).toHaveLength(3);
  }
});

test("openai: a model whose server takes no tools after a call is told what the call gave", async () => {
  const calls: unknown[] = [];
  let last: ChatRequest | undefined;
  const text = await converse((request) => {
    last = request;
    if (request.messages.some(({ role }) => role === "tool")) return 500;
    return request.tools ? [{ name: volume, args: '{"volume":50}' }] : ["Fine."];
  }, calls);
  expect(text).toBe("Fine.");
  expect(calls).toHaveLength(1);
  expect(last?.messages.at(-1)).toEqual({ role: "user", content: `(Result of ${volume} with {"volume":50}: true)` });
});

test("openai: a thought before a call goes back with it, and is not spoken", async () => {
  const thought = [chunk({ reasoning_content: "He wants " }), chunk({ reasoning_content: "it louder." })];
  const { text, second } = await answer(...thought, { name: volume, args: '{"volume":50}' });
  expect(text).toBe("true");
  expect(second).toMatchObject({ role: "assistant", reasoning_content: "He wants it louder." });
  expect((await answer({ name: volume, args: "{}" })).second).not.toHaveProperty("reasoning_content");
});

test("openai: a refusal in a field of its own is the answer", async () => {
  expect((await answer(chunk({ refusal: "I cannot " }), chunk({ content: null, refusal: "do that." }))).text).toBe(
    "I cannot do that.",
  );
});
