import { writeWav } from "@voxbus/audio";
import { createTone } from "@voxbus/testing";
import type { FieldTurn } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { check, measureSound, plays } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

type Speak = Stage["server"]["script"]["speak"];

async function askWith(stage: Stage, speak: Speak, text = "Fine."): Promise<FieldTurn> {
  stage.server.script.speak = speak;
  stage.server.script.chat = () => [text];
  return (await stage.connect()).ask("how are you");
}

/** A sound in a usual form that ours is not. */
function sound(odd: string, make: () => Uint8Array, why: string, type?: string): FieldCase {
  return {
    odd,
    right: "the sound is heard as it is",
    why,
    run: async (stage) =>
      plays(await askWith(stage, () => (type === undefined ? make() : { sound: make(), type })), 240),
  };
}

/** Judges that another voice spoke: sound, but not the server's tone. */
function speaksOtherwise(turn: FieldTurn): Outcome {
  const { ms, hz } = measureSound(turn);
  return check(`played ${ms} ms at ${hz} Hz on average`, ms >= 300 && Math.abs(hz - 440) > 5);
}

/** An answer that is no sound. */
function noSound(odd: string, speak: Speak, why: string, quick = false): FieldCase {
  return {
    odd,
    right: "the built-in voice speaks instead",
    why,
    quick,
    run: async (stage) => speaksOtherwise(await askWith(stage, speak, "I am very well today.")),
  };
}

interface Form {
  readonly rate?: number;
  readonly channels?: number;
  readonly bits?: 8 | 16 | 24 | 32;
  readonly float?: boolean;
  readonly dataBytes?: number;
  readonly before?: Uint8Array;
  readonly after?: Uint8Array;
  readonly extensible?: boolean;
}

/** Writes 240 ms of a tone of 440 Hz as a WAV file of any form. */
function makeWav({
  rate = 24_000,
  channels = 1,
  bits = 16,
  float = false,
  extensible = false,
  ...rest
}: Form = {}): Buffer {
  const samples = createTone(rate, 240);
  const width = bits / 8;
  const data = Buffer.alloc(samples.length * channels * width);
  samples.forEach((sample, i) => {
    for (let channel = 0; channel < channels; channel += 1) {
      const at = (i * channels + channel) * width;
      if (float) data.writeFloatLE(sample / 32_768, at);
      else if (bits === 8) data.writeUInt8((sample >> 8) + 128, at);
      else data.writeIntLE(sample * 2 ** (bits - 16), at, width);
    }
  });
  const format = Buffer.alloc(extensible ? 40 : 16);
  const kind = float ? 3 : 1;
  format.writeUInt16LE(extensible ? 0xfffe : kind, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE(rate * channels * width, 8);
  format.writeUInt16LE(channels * width, 12);
  format.writeUInt16LE(bits, 14);
  if (extensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(kind, 24);
  }
  const { before = Buffer.alloc(0), after = Buffer.alloc(0), dataBytes = data.length } = rest;
  const body = Buffer.concat([
    Buffer.from("WAVE"),
    makeChunk("fmt ", format),
    before,
    makeChunk("data", data, dataBytes),
    after,
  ]);
  return makeChunk("RIFF", body, dataBytes === data.length ? body.length : dataBytes);
}

function makeChunk(name: string, body: Uint8Array, length = body.length): Buffer {
  const head = Buffer.from(`${name}    `, "latin1");
  head.writeUInt32LE(length >>> 0, 4);
  return Buffer.concat([head, body]);
}

const note = makeChunk("LIST", Buffer.from("INFOISFT\x0e\0\0\0Lavf60.16.100\0", "latin1"));

const sounds: readonly FieldCase[] = [
  sound("a WAV with two channels", () => makeWav({ channels: 2 }), "VITS' and XTTS' servers send stereo."),
  sound("a WAV with 8 bits", () => makeWav({ bits: 8 }), "Old synthesizers speak so."),
  sound("a WAV with 24 bits in the extensible form", () => makeWav({ bits: 24, extensible: true }), "Sound cards' tools write so."),
  sound("a WAV with 32 bits", () => makeWav({ bits: 32 }), "soundfile writes so from integers."),
  sound("a WAV with floating point", () => makeWav({ bits: 32, float: true }), "scipy and torchaudio write so."),
  sound("a WAV at 22.05 kHz", () => makeWav({ rate: 22_050 }), "Piper's voices have this rate."),
  sound("a WAV at 44.1 kHz", () => makeWav({ rate: 44_100 }), "Fish Speech's voices have this rate."),
  sound("a WAV at 8 kHz", () => makeWav({ rate: 8000 }), "Telephone voices have this rate."),
  sound("a length of 0 in the header", () => makeWav({ dataBytes: 0 }), "libsndfile fills the length in at the end, when the header is sent already."),
  sound("a length of 0xFFFFFFFF in the header", () => makeWav({ dataBytes: 0xffff_ffff }), "OpenAI and Kokoro-FastAPI stream so."),
  sound("a length of 2,000,000,000 in the header", () => makeWav({ dataBytes: 2_000_000_000 }), "Pocket TTS streams so."),
  sound("a length of only the first piece in the header", () => makeWav({ dataBytes: 4800 }), "Early Kokoro-FastAPI did so."),
  sound("a note of the encoder before the samples", () => makeWav({ before: note }), "ffmpeg writes one."),
  sound("a note of the encoder behind the samples", () => makeWav({ after: note }), "ffmpeg may write it there."),
  sound("raw samples whose type names the rate", () => makeWav().subarray(44), "Servers ignore `response_format`.", "audio/pcm;rate=24000"),
  sound("a WAV that calls itself a stream of bytes", () => makeWav(), "Proxies drop the type.", "application/octet-stream"),
]; // prettier-ignore

const missing: readonly FieldCase[] = [
  noSound("an empty body with status 200", () => new Uint8Array(), "Servers answer so for a text that they cannot speak.", true),
  noSound("a WAV with a header and no samples", () => writeWav({ sampleRate: 24_000, samples: new Int16Array() }), "Piper answers so for a text without words of its language."),
  noSound("an MP3 with a title", () => ({ sound: Buffer.from("ID3\x04\0\0\0\0\0\0 and so on"), type: "audio/mpeg" }), "Proxies of Edge's voices know only MP3."),
  noSound("a bare MP3 that calls itself WAV", () => ({ sound: Buffer.from(Array.from({ length: 2000 }, (_, i) => (i % 104 === 0 ? 0xff : i % 104 === 1 ? 0xf3 : i % 251))), type: "audio/wav" }), "Proxies of Edge's voices do so."),
  noSound("JSON with an error and status 200", () => ({ sound: Buffer.from('{"error":{"message":"voice not found"}}'), type: "application/json" }), "Gateways answer so."),
  noSound("an HTML page in place of sound", () => ({ sound: Buffer.from("<html>Please sign in</html>"), type: "text/html" }), "Portals and proxies answer so."),
  noSound("400 because of the voice", () => ({ status: 400, body: { detail: "voice alloy not found" } }), "Local servers have voices of their own."),
  noSound("429", () => 429, "Free quotas are small."),
]; // prettier-ignore

const others: readonly FieldCase[] = [
  {
    odd: "a sound in pieces of 7 bytes, after a pause",
    right: "the sound is heard as it is",
    why: "Streams are cut anywhere, also inside a header or a sample.",
    async run(stage) {
      async function* drip() {
        const wav = makeWav({ rate: 16_000 });
        for (let at = 0; at < wav.length; at += 7) yield wav.subarray(at, at + 7);
      }
      return plays(await askWith(stage, () => drip()), 240);
    },
  },
  {
    odd: "several WAV files in a row in one answer",
    right: "one sound without clicks",
    why: "Servers that speak clause by clause join files so.",
    run: async (stage) => plays(await askWith(stage, () => Buffer.concat([makeWav(), makeWav()])), 480),
  },
  {
    odd: "a server that knows no `speed`",
    right: "it is not asked for a speed that no one has set",
    why: "Strict servers refuse fields that they do not know.",
    async run(stage) {
      const turn = await askWith(stage, (request) =>
        "speed" in request ? { status: 422, body: { detail: "extra fields not permitted" } } : makeWav(),
      );
      return plays(turn, 240);
    },
  },
  {
    odd: "the connection breaks in the middle of a sentence",
    right: "the rest of the answer is spoken",
    why: "Servers are restarted.",
    async run(stage) {
      let count = 0;
      async function* breakOff() {
        yield makeWav({ dataBytes: 0 }).subarray(0, 8000);
        throw new Error("gone");
      }
      const speak: Speak = () => ((count += 1) === 1 ? breakOff() : makeWav());
      const turn = await askWith(stage, speak, "I am well. Thank you for asking.");
      const { ms } = measureSound(turn);
      return check(`said ${turn.said.length} sentences in ${ms} ms of sound`, turn.said.length === 2 && ms >= 400);
    },
  },
  {
    odd: "the server is away for a whole answer of three sentences",
    right: "the built-in voice speaks all of it, and the server is asked once",
    why: "Each sentence would wait for it again.",
    async run(stage) {
      const before = stage.server.requests.speech.length;
      const turn = await askWith(stage, () => ({ end: "drop" }), "I am well. It is nice. How are you?");
      const asked = stage.server.requests.speech.length - before;
      return check(`${turn.said.length} sentences, asked ${asked} times`, turn.said.length === 3 && asked === 1);
    },
  },
  {
    odd: "a Chinese answer while the server is away",
    right: "it is shown, and one apology is spoken",
    why: "The built-in voice speaks only English.",
    async run(stage) {
      const turn = await askWith(stage, () => 500, "你好。今天天气很好。再见。");
      const { ms } = measureSound(turn);
      return check(`showed ${turn.said.join("")}, played ${ms} ms`, turn.said.length === 3 && ms > 300 && ms < 4000);
    },
  },
];

/** Speech servers behind an OpenAI-compatible endpoint. */
export const voiceCases: FieldKind = { title: "Voices", cases: [...sounds, ...missing, ...others] };
