import { setTimeout as sleep } from "node:timers/promises";
import { writeWav } from "@voxbus/audio";
import { createTone } from "@voxbus/testing";
import { isAudio, isMessage, readSentences, startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import type { FieldKind, Outcome } from "./field-case.ts";
import { both, check } from "./outcomes.ts";
import { tone, type Stage } from "./stage.ts";

const speech = { do: "wav", file: "samples/time.wav" };
const stopped = isMessage({ type: "tts", state: "stop" });
const longTone = writeWav({ sampleRate: 24_000, samples: createTone(24_000, 12_000) });
let devices = 0;

/** Connects the simulator, which has the states of stock firmware. */
async function connectFirmware(stage: Stage, ...args: readonly string[]): Promise<ScriptedDevice> {
  const device = await startDevice(stage.url, `firmware-${(devices += 1)}`, ...args);
  stage.defer(() => device.end());
  return device;
}

/** Asks for an answer of 12 s, and waits for its sound. From then on answers are short again. */
async function hearLongAnswer({ server }: Stage, device: ScriptedDevice): Promise<void> {
  server.script.speak = async () => longTone;
  await device.do({ do: "text", text: "tell me a story" });
  await device.next(isAudio);
  server.script.speak = async () => tone;
}

/** Judges the next turn of a device: one sentence, in answer to what was said. */
async function answersSpeech(device: ScriptedDevice): Promise<Outcome> {
  await device.next(isMessage({ type: "stt", text: "Hello there." }));
  const said = readSentences(await device.turn());
  return check(`said ${JSON.stringify(said)}`, said.length === 1 && said[0] === "Fine.");
}

async function answersTyped(device: ScriptedDevice): Promise<Outcome> {
  await device.do({ do: "text", text: "are you there" });
  const said = readSentences(await device.turn());
  return check(`said ${JSON.stringify(said)}`, said.length === 1 && said[0] === "Fine.");
}

function countStarts({ lines }: ScriptedDevice): number {
  return lines.filter(({ sent }) => sent?.["type"] === "listen" && sent["state"] === "start").length;
}

/** Aborts an answer by an action of the user, and speaks. The device may have sent `starts` starts by then. */
async function speakAfterAbort(stage: Stage, mode: string, user: object, starts: number): Promise<Outcome> {
  const device = await connectFirmware(stage, "--mode", mode);
  await device.do({ do: "listen" });
  if (mode === "manual") await device.do({ do: "stop" });
  await hearLongAnswer(stage, device);
  await device.do({ ...user });
  await device.next(stopped);
  await device.do(speech);
  if (mode === "manual") await device.do({ do: "stop" });
  const answer = await answersSpeech(device);
  const sent = countStarts(device);
  // In auto mode another start follows the answer.
  return both(answer, check(`${sent} starts`, mode === "auto" ? sent - starts <= 1 : sent === starts));
}

/** Devices with the states of stock firmware. */
export const firmwareCases: FieldKind = {
  title: "Firmware",
  cases: [
    {
      odd: "realtime: an abort by the button, after which the device sends no other start",
      right: "what is said next is answered in the same listen",
      why: "The microphone of stock firmware never stops in realtime mode.",
      quick: true,
      run: (stage) => speakAfterAbort(stage, "realtime", { do: "button" }, 1),
    },
    {
      odd: "auto: an abort by the button; the start follows only after the stop",
      right: "the abort is answered with a stop, and the next speech is answered",
      why: "Stock firmware goes on speaking until the stop comes.",
      run: (stage) => speakAfterAbort(stage, "auto", { do: "button" }, 2),
    },
    {
      odd: "push to talk: a press in mid-answer sends an abort and a start at once",
      right: "the answer stops, and what is said is answered",
      why: "The stop for the abort arrives after the start, and must not end the new listen.",
      run: (stage) => speakAfterAbort(stage, "manual", { do: "press" }, 2),
    },
    {
      odd: "realtime: a wake word in mid-answer sends an abort and a second start",
      right: "one listen goes on, and what is said is answered once",
      why: "Stock firmware starts again after a wake word although its microphone was on.",
      run: (stage) => speakAfterAbort(stage, "realtime", { do: "wake", text: "Hi, ESP" }, 2),
    },
    {
      odd: "a wake word that no list has, with its audio in front",
      right: "the word is not answered, and what is said after it is",
      why: "People train words of their own.",
      async run(stage) {
        const device = await connectFirmware(stage);
        await device.do({ do: "wake", text: "Wake up, Hal", file: "samples/hello.wav" });
        await device.do(speech);
        const answer = await answersSpeech(device);
        const asked = device.lines.some(isMessage({ type: "stt", text: "Wake up, Hal" }));
        return both(answer, check(asked ? "took the word for a question" : "ignored the word", !asked));
      },
    },
    {
      odd: "a wake word of a small board: a start, and nothing in front of it",
      right: "what is said after it is answered",
      why: "Boards without an audio front end send neither the audio nor the word.",
      async run(stage) {
        const device = await connectFirmware(stage, "--no-wake-audio");
        await device.do({ do: "wake", text: "Hi, ESP" });
        await device.do(speech);
        return answersSpeech(device);
      },
    },
    {
      odd: "text that is typed while a realtime microphone sends silence",
      right: "it is answered, and so is the speech after it",
      why: "Five clients type and talk on one connection.",
      quick: true,
      async run(stage) {
        const device = await connectFirmware(stage, "--mode", "realtime");
        await device.do({ do: "listen" });
        const typed = await answersTyped(device);
        await device.do(speech);
        return both(typed, await answersSpeech(device));
      },
    },
    {
      odd: "a device that goes on sending after a Close frame",
      right: "nothing that it says reaches its successor, which is answered",
      why: "Stock firmware keeps the socket until it needs another one.",
      async run(stage) {
        const first = await connectFirmware(stage, "--mode", "realtime");
        await first.do({ do: "listen" });
        const second = await startDevice(stage.url, `firmware-${devices}`);
        stage.defer(() => second.end());
        await first.do(speech).catch(() => undefined);
        const closed = await first.next(({ got }) => got === "close");
        const answer = await answersTyped(second);
        const strays = second.lines.filter(isMessage({ type: "stt", text: "Hello there." })).length;
        return both(
          answer,
          check(`closed with ${closed.code}, ${strays} strays`, closed.code === 4001 && strays === 0),
        );
      },
    },
    {
      odd: "a device that hangs up in mid-answer and comes back at once",
      right: "the old answer is not played to it, and its next question is answered",
      why: "The button of stock firmware drops the connection without a goodbye.",
      async run(stage) {
        const device = await connectFirmware(stage, "--reconnect", "use");
        await hearLongAnswer(stage, device);
        await device.do({ do: "close" });
        await device.next(({ got }) => got === "close");
        await device.do({ do: "listen" });
        await device.next(isMessage({ type: "hello" }));
        await device.do(speech);
        return answersSpeech(device);
      },
    },
    {
      odd: "a device that says goodbye in mid-answer",
      right: "it is closed with 1000, and is answered when it comes back",
      why: "Espressif's component says goodbye before it disconnects.",
      async run(stage) {
        const device = await connectFirmware(stage, "--reconnect", "use", "--answer-close");
        await hearLongAnswer(stage, device);
        await device.do({ do: "close", how: "goodbye" });
        const closed = await device.next(({ got }) => got === "close");
        await device.do({ do: "listen" });
        await device.do(speech);
        return both(check(`closed with ${closed.code}`, closed.code === 1000), await answersSpeech(device));
      },
    },
    {
      odd: "push to talk: a press and a release without any sound",
      right: "the device hears no answer, and its next question is answered",
      why: "People touch the button by accident.",
      async run(stage) {
        const device = await connectFirmware(stage, "--mode", "manual");
        await device.do({ do: "press" });
        await device.do({ do: "stop" });
        await device.do({ do: "press" });
        await device.do(speech);
        await device.do({ do: "stop" });
        return answersSpeech(device);
      },
    },
    {
      odd: "an abort while nothing plays",
      right: "it is answered with a stop, and the next question is answered",
      why: "A device that waits for the stop would wait forever.",
      async run(stage) {
        const device = await connectFirmware(stage);
        await device.do({ do: "abort" });
        await device.next(stopped);
        return answersTyped(device);
      },
    },
    {
      odd: "a device that stops reading for 3 s in mid-answer",
      right: "the answer is played to its end",
      why: "A tool call blocks the main task of the firmware.",
      async run(stage) {
        const device = await connectFirmware(stage, "--no-relisten");
        stage.server.script.speak = async () => writeWav({ sampleRate: 24_000, samples: createTone(24_000, 5000) });
        await device.do({ do: "text", text: "sing" });
        await device.next(isAudio);
        await device.do({ do: "pause" });
        await sleep(3000);
        await device.do({ do: "resume" });
        await device.next(stopped);
        const packets = device.lines.filter(isAudio).length;
        return check(`${packets} packets of 84`, packets >= 80);
      },
    },
    {
      odd: "a device that answers each MCP message twice",
      right: "the question is answered once",
      why: "Bridges repeat messages after a stall.",
      run: async (stage) => answersTyped(await connectFirmware(stage, "--mcp", "twice", "--no-relisten")),
    },
    {
      odd: "a device that announces tools and never answers",
      right: "the question is answered without them",
      why: "The MCP task of a device may have crashed.",
      run: async (stage) => answersTyped(await connectFirmware(stage, "--mcp", "silent", "--no-relisten")),
    },
  ],
};
