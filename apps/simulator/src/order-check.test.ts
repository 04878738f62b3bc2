import { expect, test } from "vitest";
import type { DeviceEvent } from "./client.ts";
import { createOrderCheck } from "./order-check.ts";

const say = (type: string, state?: string): DeviceEvent => ({ t: 0, got: "json", message: { type, state } });
const hello = say("hello");
const start = say("tts", "start");
const sentence = say("tts", "sentence_start");
const stop = say("tts", "stop");
const sound: DeviceEvent = { t: 0, got: "audio", data: new Uint8Array(1), packet: new Uint8Array(1), played: true };
const abort: DeviceEvent = { t: 0, sent: { type: "abort" } };

const check = (...events: DeviceEvent[]) => {
  const see = createOrderCheck();
  return events.map(see).filter((problem) => problem !== undefined);
};

test("order: a correct turn has no problem", () => {
  expect(check(hello, say("stt"), start, say("llm"), sentence, sound, stop, say("alert"), start, sound, stop)).toEqual(
    [],
  );
});

test("order: it names audio, sentences and stops outside speech, and double starts and hellos", () => {
  expect(check(say("stt"), hello, hello, sound, sentence, stop, start, start, stop, sound)).toEqual([
    "stt before hello",
    "a second hello",
    "audio outside speech",
    "tts/sentence_start outside speech",
    "tts/stop outside speech",
    "tts/start while speaking",
    "audio outside speech",
  ]);
});

test("order: each abort allows one stop without speech, until speech starts", () => {
  expect(check(hello, abort, stop, stop)).toEqual(["tts/stop outside speech"]);
  expect(check(hello, start, sound, abort, stop, sound)).toEqual(["audio outside speech"]);
  expect(check(hello, abort, start, stop, stop)).toEqual(["tts/stop outside speech"]);
});

test("order: over MQTT, only what belongs to no conversation comes between two of them", () => {
  const see = createOrderCheck({ idles: true });
  const goodbye: DeviceEvent = { t: 0, sent: { type: "goodbye" } };
  const events = [say("alert"), hello, start, sound, goodbye, say("mcp"), start, hello, start, say("goodbye"), sound];
  expect(events.map(see).filter((problem) => problem !== undefined)).toEqual([
    "tts before hello",
    "audio outside speech",
  ]);
});
