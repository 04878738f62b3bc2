import { setTimeout as sleep } from "node:timers/promises";
import { writeWav } from "@voxbus/audio";
import { createTone, type ChatRequest } from "@voxbus/testing";
import type { FieldDevice } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { textResult } from "./mcp.ts";
import { both, check } from "./outcomes.ts";
import type { Stage } from "./stage.ts";
import { watch } from "./watch.ts";

const volume = "self_audio_speaker_set_volume";

/** The messages of the last request, without the prompt, one line each. */
function lastMessages(stage: Stage): readonly string[] {
  const { messages = [] } = stage.server.requests.chat.at(-1) ?? {};
  return (messages as readonly (ChatRequest["messages"][number] & { readonly tool_calls?: unknown })[])
    .slice(1)
    .map(({ role, content, tool_calls: calls }) => `${role}: ${content ?? ""}${calls === undefined ? "" : " (calls)"}`);
}

/** Judges the history that the model is given with the next question. */
async function remembers(stage: Stage, device: FieldDevice, ...expected: readonly string[]): Promise<Outcome> {
  stage.server.script.chat = () => ["Fine."];
  await device.ask("and now");
  const messages = lastMessages(stage).slice(0, -1);
  const held = messages.length === expected.length && messages.every((message, i) => message.startsWith(expected[i]!));
  return check(messages.join(" / ") || "no history", held);
}

/** Sound of 900 ms for each sentence, so that an interruption falls into one. */
const longTone = writeWav({ sampleRate: 24_000, samples: createTone(24_000, 900) });

/** Begins a long answer, and interrupts it while its second sentence plays. */
async function interruptAtSecond(stage: Stage, device: FieldDevice, interrupt: () => unknown): Promise<void> {
  stage.server.script.speak = () => longTone;
  stage.server.script.chat = () => [
    "One is here. ",
    "Two is here. ",
    "Three is here. ",
    "Four is here. ",
    "Five is here.",
  ];
  device.send({ type: "listen", state: "detect", text: "count" });
  await device.next({ type: "tts", state: "sentence_start", text: "Two is here." });
  await sleep(400);
  await interrupt();
}

const cases: readonly FieldCase[] = [
  {
    odd: "an abort in the second of five sentences",
    right: "the history has two sentences, marked as interrupted",
    why: "The model would otherwise refer to words that no one has heard.",
    quick: true,
    async run(stage) {
      const device = await stage.connect();
      await interruptAtSecond(stage, device, () => device.send({ type: "abort" }));
      await device.turn();
      // A user does not speak again at once. Meanwhile the interruption is written.
      await sleep(500);
      return remembers(stage, device, "user: count", "assistant: One is here. Two is here. [interrupted]");
    },
  },
  {
    odd: "the device vanishes in the second of five sentences",
    right: "after it is back, the history has two sentences",
    why: "Wi-Fi drops without a word.",
    async run(stage) {
      const device = await stage.connect({ id: "field-vanishing" });
      await interruptAtSecond(stage, device, () => device.connection.vanish());
      await device.connection.closed;
      // The device is back a moment later, as its user is.
      const back = await stage.connect({ id: "field-vanishing" });
      return remembers(stage, back, "user: count", "assistant: One is here. Two is here. [interrupted]");
    },
  },
  {
    odd: "a tool ran, and the user aborted before the answer",
    right: "the next turn knows the call and its result",
    why: "The model would call it again, and a door would open twice.",
    async run(stage) {
      const device = await stage.connect({ mcp: {} });
      stage.server.script.chat = async function* ({ messages }, { gone }) {
        if (messages.at(-1)?.role !== "tool") yield { name: volume, args: '{"volume":50}' };
        else await new Promise((resolve) => gone.addEventListener("abort", resolve));
      };
      device.send({ type: "listen", state: "detect", text: "louder" });
      while (device.calls.length === 0 || stage.server.requests.chat.at(-1)?.messages.at(-1)?.role !== "tool")
        await sleep(20);
      device.send({ type: "abort" });
      await device.next({ type: "tts", state: "stop" });
      return remembers(stage, device, "user: louder", "assistant:  (calls)", "tool: true", "assistant: [interrupted]");
    },
  },
  {
    odd: "a tool's result, one turn later",
    right: "the model is given the call and its result",
    why: "“And what was it before?” needs it.",
    async run(stage) {
      const device = await stage.connect({ mcp: { call: (request) => [textResult(request, "it was 30")] } });
      stage.server.script.chat = ({ messages }) => (messages.at(-1)?.role === "tool" ? ["Done."] : [{ name: volume, args: "{}" }]);
      await device.ask("louder");
      return remembers(stage, device, "user: louder", "assistant:  (calls)", "tool: it was 30", "assistant: Done.");
    },
  },
  {
    odd: "a tool that failed, one turn later",
    right: "the model is given the error",
    why: "It must not say that it worked.",
    async run(stage) {
      const device = await stage.connect({ mcp: { call: ({ id }) => [{ jsonrpc: "2.0", id, error: { message: "no" } }] } });
      stage.server.script.chat = ({ messages }) => (messages.at(-1)?.role === "tool" ? ["Sorry."] : [{ name: volume, args: "{}" }]);
      await device.ask("louder");
      return remembers(stage, device, "user: louder", "assistant:  (calls)", "tool: Error", "assistant: Sorry.");
    },
  },
  {
    odd: "calls in the history of a device that has lost its tools",
    right: "the calls are left out, and the request is valid",
    why: "Servers refuse calls without tools.",
    async run(stage) {
      const device = await stage.connect({ id: "field-losing", mcp: {} });
      stage.server.script.chat = ({ messages }) => (messages.at(-1)?.role === "tool" ? ["Done."] : [{ name: volume, args: "{}" }]);
      await device.ask("louder");
      device.connection.vanish();
      await device.connection.closed;
      return remembers(stage, await stage.connect({ id: "field-losing" }), "user: louder", "assistant: Done.");
    },
  },
  {
    odd: "a model that failed, one turn later",
    right: "the question is kept, and the apology is not the model's",
    why: "A model that reads its own apologies apologizes for seven days.",
    async run(stage) {
      const device = await stage.connect();
      stage.server.script.chat = () => 500;
      await device.ask("who are you");
      return remembers(stage, device, "user: who are you", "assistant: [no answer]");
    },
  },
  {
    odd: "a recognizer that heard nothing, one turn later",
    right: "the history is empty",
    why: "Noise is no part of the conversation.",
    async run(stage) {
      stage.server.script.transcribe = () => "[BLANK_AUDIO]";
      const { device, nextHeard } = await watch(stage);
      device.sendUtterance("sum");
      await nextHeard();
      return remembers(stage, device);
    },
  },
  {
    odd: "an answer of 5,000 characters, one turn later",
    right: "the question and the beginning of the answer are kept",
    why: "One turn must not push out all others, nor the question.",
    async run(stage) {
      const device = await stage.connect();
      stage.server.script.chat = () => Array.from({ length: 25 }, (_, i) => `This is sentence number ${i} of a story ${"and so on ".repeat(16)}here. `);
      await device.ask("a story");
      const outcome = await remembers(stage, device, "user: a story", "assistant: This is sentence number 0");
      const { length } = lastMessages(stage)[1] ?? "";
      return both(outcome, check(`${length} characters`, length > 1000 && length < 2200));
    },
  },
  {
    odd: "20 turns with questions of 700 characters",
    right: "the request is valid, begins with a question, and stays small",
    why: "Small models have a small context.",
    async run(stage) {
      const device = await stage.connect();
      for (let i = 0; i < 20; i += 1) await device.ask(`question ${i} ${"and so on ".repeat(70)}`);
      const messages = lastMessages(stage);
      const { length } = messages.join("");
      const held = messages[0]?.startsWith("user: ") === true && length < 10_000 && messages.length > 4;
      return check(`${messages.length} messages, ${length} characters`, held);
    },
  },
  {
    odd: "a question that quotes the marks of the history",
    right: "it is kept as it was asked",
    why: "A user may ask what “[interrupted]” means.",
    async run(stage) {
      const device = await stage.connect();
      await device.ask("what does [interrupted] mean");
      return remembers(stage, device, "user: what does [interrupted] mean", "assistant: Fine.");
    },
  },
]; // prettier-ignore

/** The history that models are given. */
export const historyCases: FieldKind = { title: "History", cases };
