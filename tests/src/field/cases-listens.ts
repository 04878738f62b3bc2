import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpeech, silence } from "@voxbus/testing";
import type { FieldDevice } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, hears, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const start = (mode: string) => ({ type: "listen", state: "start", mode });
const stop = { type: "listen", state: "stop" };

/** Judges that a device is answered after something odd: typed and spoken. */
async function goesOn(device: FieldDevice): Promise<Outcome> {
  const typed = await device.ask("how are you");
  return both(saysExactly(typed, "Fine."), hears(await device.speak(), "Hello there."));
}

/** A device that sends odd messages, and is answered afterwards. */
function sends(
  odd: string,
  messages: readonly (object | string | Uint8Array)[],
  why: string,
  quick = false,
): FieldCase {
  return {
    odd,
    right: "the device is answered afterwards",
    why,
    quick,
    async run({ connect }) {
      const device = await connect();
      for (const message of messages) device.send(message);
      return goesOn(device);
    },
  };
}

/** A device whose hello or headers are odd. */
function greets(odd: string, hello: object, why: string, headers: Readonly<Record<string, string>> = {}): FieldCase {
  return {
    odd,
    right: "the hello is answered, and so are questions",
    why,
    run: async ({ connect }) => goesOn(await connect({ hello, headers })),
  };
}

/** A wake word as firmware spells it. */
function wakes(odd: string, word: string, why: string): FieldCase {
  return {
    odd,
    right: "it is no question: the model is not asked",
    why,
    async run(stage: Stage) {
      const device = await stage.connect();
      const before = stage.server.requests.chat.length;
      device.sendSpeech("hello");
      device.send({ type: "listen", state: "detect", text: word });
      device.send(start("manual"));
      device.sendSpeech("sum");
      device.send(stop);
      const turn = await device.turn();
      const asked = stage.server.requests.chat.length - before;
      return both(hears(turn, "Hello there."), check(`the model was asked ${asked} times`, asked === 1));
    },
  };
}

const messages: readonly FieldCase[] = [
  sends("a message of an unknown type", [{ type: "vad", state: "silence" }, { type: "system", command: "?" }], "Forks of the firmware add types.", true),
  sends("text that is not JSON", ["hello", "{", "[]", "null", ""], "A broken client must not lose its user."),
  sends("a listen of an unknown mode", [start("always"), stop], "Forks of the firmware add modes."),
  sends("a listen without a mode", [{ type: "listen", state: "start" }, stop], "Small clients leave it out."),
  sends("a listen without a state", [{ type: "listen" }], "Small clients leave it out."),
  sends("a stop without a start", [stop, stop], "A button bounces."),
  sends("two starts", [start("manual"), start("manual"), stop], "A button bounces."),
  sends("a detect without text", [{ type: "listen", state: "detect" }, { type: "listen", state: "detect", text: null }], "Firmware without wake words sends it."),
  sends("an abort while nothing is said", [{ type: "abort" }, { type: "abort", reason: 5 }], "A button is pressed twice."),
  sends("audio that is not Opus", [start("manual"), new Uint8Array([255, 255, 255]), new Uint8Array(2000), stop], "A client streams PCM by mistake."),
  sends("an empty binary message", [new Uint8Array(0), start("manual"), new Uint8Array(0), stop], "A client's encoder was not ready."),
  sends("a second hello", [{ type: "hello", version: 1, transport: "websocket" }], "Clients greet again after they wake."),
  sends("descriptors and states of older firmware", [{ type: "iot", descriptors: [{ name: "Lamp" }] }, { type: "iot", update: true, states: [{ name: "Lamp", state: { power: true } }] }], "Firmware up to 1.7 sends them."),
  sends("a field of the session that is wrong", [{ type: "listen", state: "stop", session_id: "another" }], "Clients keep the session of an earlier connection."),
  sends("an mcp message without a request", [{ type: "mcp", payload: { jsonrpc: "2.0", id: 99, result: {} } }, { type: "mcp" }], "Firmware answers late."),
  sends("20 empty listens in a row", Array.from({ length: 20 }, () => [start("manual"), stop]).flat(), "A child plays with the button."),
]; // prettier-ignore

const hellos: readonly FieldCase[] = [
  greets("a version that is a text", { version: "1" }, "Clients in other languages write so."),
  greets("null for every optional field", { features: null, audio_params: null, version: null }, "Clients in other languages write so."),
  greets("features that are a list", { features: ["mcp"] }, "Forks write so."),
  greets("audio parameters without a sense", { audio_params: { format: "pcm", sample_rate: "fast", channels: -1, frame_duration: 0 } }, "A field that is not used must refuse no one."),
  greets("a transport of another kind", { transport: "udp" }, "The same firmware also speaks MQTT."),
  greets("no transport, and fields of its own", { transport: undefined, device_name: "x", language: "zh-CN", emoji: true }, "Web clients add fields."),
  greets("no header with a version", {}, "Small clients leave it out.", { "Protocol-Version": "" }),
]; // prettier-ignore

const wakeWords: readonly FieldCase[] = [
  wakes("a wake word with other punctuation", "你好，小智。", "Recognizers add punctuation."),
  wakes("a wake word in capitals", "HI, ESP!", "Models of wake words name themselves so."),
  wakes("a wake word of the firmware that no one has configured", "Jarvis", "Boards come with other models."),
];

const listens: readonly FieldCase[] = [
  {
    odd: "typed text after audio",
    right: "each text is answered",
    why: "Phones and web pages have a keyboard and a microphone.",
    quick: true,
    async run({ connect }) {
      const device = await connect();
      await device.speak();
      return both(saysExactly(await device.ask("how are you"), "Fine."), await goesOn(device));
    },
  },
  {
    odd: "an abort in realtime mode, without another start",
    right: "the next sentence is heard",
    why: "Firmware starts only one listen in this mode.",
    async run({ server, connect }) {
      server.script.chat = () => ["One sentence. ", "Another sentence. ", "And a third one."];
      const device = await connect();
      device.send(start("realtime"));
      device.sendSpeech("sum");
      for (const packet of encodeSpeech(silence(1500))) device.send(packet);
      await device.next({ type: "tts", state: "sentence_start" });
      device.send({ type: "abort" });
      await device.turn();
      device.sendSpeech("time");
      for (const packet of encodeSpeech(silence(1500))) device.send(packet);
      return hears(await device.turn(), "Hello there.");
    },
  },
  {
    odd: "a question typed while the answer to another plays",
    right: "the first answer ends, and the second is whole",
    why: "People are impatient.",
    async run({ server, connect }) {
      server.script.chat = ({ messages }) =>
        messages.at(-1)?.content?.includes("second") ? ["Second."] : Array.from({ length: 9 }, (_, i) => `Part ${i}. `);
      const device = await connect();
      device.send({ type: "listen", state: "detect", text: "the first" });
      await device.next({ type: "tts", state: "sentence_start" });
      device.send({ type: "listen", state: "detect", text: "the second" });
      const first = await device.turn();
      const second = first.said.includes("Second.") ? first : await device.turn();
      return check(`the last turn said ${second.said.join(" ")}`, second.said.at(-1) === "Second.");
    },
  },
  {
    odd: "the same device connects again while its old connection is open",
    right: "the new connection is answered",
    why: "Wi-Fi drops without a word, and the old socket lives on.",
    async run({ connect }) {
      await connect({ id: "field-twice" });
      return goesOn(await connect({ id: "field-twice" }));
    },
  },
  {
    odd: "goodbye, and audio after it",
    right: "the connection ends, and a new one is answered",
    why: "Firmware closes its channel while the encoder still runs.",
    async run({ connect }) {
      const device = await connect({ id: "field-goodbye" });
      device.send(start("auto"));
      device.send({ type: "goodbye" });
      device.sendSpeech("hello");
      const { code } = await device.connection.closed;
      return both(check(`closed with ${code}`, code === 1000 || code === 1005 || code === 1006), await goesOn(await connect({ id: "field-goodbye" })));
    },
  },
  {
    odd: "a button held for 5 s in silence",
    right: "nothing was heard, and the model is not asked",
    why: "A child holds the button.",
    async run(stage) {
      const device = await stage.connect();
      const before = stage.server.requests.chat.length;
      device.send(start("manual"));
      for (const packet of encodeSpeech(silence(5000))) device.send(packet);
      device.send(stop);
      await device.turnWithin(1500);
      const asked = stage.server.requests.chat.length - before;
      return both(check(`the model was asked ${asked} times`, asked === 0), await goesOn(device));
    },
  },
  {
    odd: "asr is killed in the middle of a listen",
    right: "the sentence is heard by its successor",
    why: "Programs are updated and crash.",
    async run({ connect, restart }) {
      const device = await connect();
      device.send(start("manual"));
      device.sendSpeech("sum");
      await sleep(100);
      await restart("asr");
      device.send(stop);
      return hears(await device.turn(), "Hello there.");
    },
  },
]; // prettier-ignore

/** The messages and listens of devices. */
export const listenCases: FieldKind = {
  title: "Messages and listens of devices",
  cases: [...messages, ...hellos, ...wakeWords, ...listens],
};
