import { startModelServer, type ChatEvent } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { createOpenAiEngine } from "./openai.ts";
import { createTestPool, collectText, createAccess, createRequest, setVolume } from "./test-request.ts";

const volume = "self_audio_speaker_set_volume";
const chunk = (delta: object): ChatEvent => ({
  raw: `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`,
});

/** Lets the model stream these events, then say what the tool gave. Gives the answer, the calls and the second request. */
async function answer(...events: readonly ChatEvent[]) {
  const server = await startModelServer({
    chat: ({ messages }) => (messages.at(-1)?.role === "tool" ? [`${messages.at(-1)?.content}`] : events),
  });
  onTestFinished(() => server.close());
  const limits = { firstTokenMs: 15_000, nextTokenMs: 15_000, rounds: 3, identify: true };
  const engine = createOpenAiEngine({ url: server.url, pool: createTestPool(), model: "test", ...limits });
  const calls: unknown[] = [];
  const call = async (name: string, args: object) => {
    calls.push([name, args]);
    return "true";
  };
  const device = createAccess({ tools: { list: [setVolume], call } });
  const text = await collectText(engine, createRequest("set it to 50", { device }));
  return { text, calls, second: server.requests.chat[1]?.messages.at(-2) };
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
