import { createOpusDecoder, createOpusEncoder, createResampler } from "@voxbus/audio";
import {
  channels,
  createInAudioWriter,
  decodeEnvelope,
  encodeEnvelope,
  InAudio,
  Inbound,
  Outbound,
} from "@voxbus/protocol";
import { encodeSpeech, loadSpeech } from "@voxbus/testing";
import { z } from "zod";
import { createBareResampler } from "./bare-resampler.ts";
import { root } from "./child.ts";
import { frameBytes } from "./device.ts";
import { takeMedian } from "./numbers.ts";

/** The time that one call of a hot code path takes, µs, and that of its baseline in the same run. */
export interface PathRow {
  readonly what: string;
  readonly baseline: string;
  readonly baselineUs: number;
  readonly us: number;
}

interface Path {
  readonly what: string;
  readonly baseline: string;
  readonly before: () => unknown;
  readonly now: () => unknown;
}

const rounds = 9;
const warmUps = 12;
const sliceMs = 40;
/** The length of a packet, ms. */
const packetMs = 60;
/** The encoder of tts (decision 0012), and that which stood there before. */
const encoding = { bitrate: 32_000, complexity: 0 } as const;
const encodingBefore = { bitrate: 24_000, complexity: 5 } as const;
const session = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const body = new Uint8Array(frameBytes);
const inAudio = { session, seq: 4711, at: Date.now(), kind: "audio", duration: 10, body } as const;
const name = { session, reply: `${session}:4711`, origin: 4711, attempt: 1, sentence: 2, n: 33, repeatable: true };
const outAudio = { ...name, kind: "audio", duration: 60, body } as const;
// The same schemas under another name: only the original ones have fast readers.
const generalIn = z.discriminatedUnion("kind", Inbound.options);
const generalOut = z.discriminatedUnion("kind", Outbound.options);

/** A map that ends after its first field. */
const malformed = Uint8Array.of(0x86, 0xa1, 0x76, 0x01);

async function listPaths(): Promise<readonly Path[]> {
  const inBytes = encodeEnvelope(InAudio, inAudio);
  const outBytes = encodeEnvelope(channels.out.schema, outAudio);
  const write = createInAudioWriter(session);
  return [
    compareResamplers(16_000, [2, 3]),
    compareResamplers(22_050, [147, 160]),
    compareResamplers(48_000, [2, 1]),
    compareEncoders(),
    await compareReaders(),
    {
      what: "decode an audio frame for a device",
      baseline: "general decoder",
      before: () => decodeEnvelope(generalOut, outBytes),
      now: () => decodeEnvelope(Outbound, outBytes),
    },
    {
      what: "decode an audio frame of a device",
      baseline: "general decoder",
      before: () => decodeEnvelope(generalIn, inBytes),
      now: () => decodeEnvelope(Inbound, inBytes),
    },
    {
      what: "refuse a malformed message",
      baseline: "the same and a stack",
      before: () => [refuse(malformed), new Error("with a stack")],
      now: () => refuse(malformed),
    },
    {
      what: "encode an audio frame of a device",
      baseline: "general encoder",
      before: () => encodeEnvelope(InAudio, inAudio),
      now: () => write(inAudio.seq, inAudio.at, body),
    },
  ];
}

/** Decodes bytes that are no message, and returns the error. */
function refuse(bytes: Uint8Array): unknown {
  try {
    return decodeEnvelope(Outbound, bytes);
  } catch (error) {
    return error;
  }
}

/** Resamples a packet's sound to the devices' rate. */
function compareResamplers(rate: number, ratio: readonly [number, number]): Path {
  const sound = Int16Array.from({ length: (rate * packetMs) / 1000 }, (_, n) => 8000 * Math.sin(n / 7));
  const bare = createBareResampler(ratio);
  const resampler = createResampler(rate, 24_000);
  return {
    what: `resample 60 ms from ${rate / 1000} to 24 kHz`,
    baseline: "plain sums",
    before: () => bare(sound),
    now: () => resampler.write(sound),
  };
}

/** Encodes a packet of recorded speech as tts does, each time the next one. */
function compareEncoders(): Path {
  const sampleRate = 24_000;
  const speech = createResampler(16_000, sampleRate).write(loadSpeech("story"));
  const packets = cut(speech, (sampleRate * packetMs) / 1000);
  const [before, now] = [encodingBefore, encoding].map((settings) => {
    const encoder = createOpusEncoder({ sampleRate, ...settings });
    const next = takeInTurn(packets);
    return () => encoder.encode(next());
  });
  return { what: "encode 60 ms to Opus", baseline: "complexity 5, 24 kbit/s", before: before!, now: now! };
}

/** Reads a packet of recorded speech as asr does, each time the next one: it decodes it, and finds voice and its pitch. */
async function compareReaders(): Promise<Path> {
  const path = "apps/asr/dist/voiced-frames.js";
  const { createFrameReader } = (await import(`${root}${path}`)) as {
    readonly createFrameReader: () => { read(seq: number, packet: Uint8Array, mayBeSilent: boolean): unknown };
  };
  const packets = encodeSpeech(loadSpeech("story"));
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const reader = createFrameReader();
  const [next, nextAlone] = [takeInTurn(packets), takeInTurn(packets)];
  return {
    what: "decode 60 ms of Opus and detect voice",
    baseline: "the decoder alone",
    before: () => decoder.decode(nextAlone()),
    now: () => reader.read(0, next(), false),
  };
}

/** Cuts samples into pieces of one length. A rest is left out. */
function cut(samples: Int16Array, length: number): readonly Int16Array[] {
  return Array.from({ length: Math.floor(samples.length / length) }, (_, n) =>
    samples.subarray(n * length, (n + 1) * length),
  );
}

/** Gives one piece after the other, and the first one again after the last. */
function takeInTurn<T>(pieces: readonly T[]): () => T {
  let at = -1;
  return () => pieces[(at = (at + 1) % pieces.length)]!;
}

/** Measures part h: the code that runs for every packet, against the general code that it stands for. */
export async function measurePaths(): Promise<readonly PathRow[]> {
  return (await listPaths()).map(({ what, baseline, before, now }) => {
    for (let round = 0; round < warmUps; round += 1) [before, now].map(time);
    const times: { readonly before: number[]; readonly now: number[] } = { before: [], now: [] };
    for (let round = 0; round < rounds; round += 1) {
      times.before.push(time(before));
      times.now.push(time(now));
    }
    return { what, baseline, baselineUs: takeMedian(times.before), us: takeMedian(times.now) };
  });
}

/** Gives the CPU time of one call, µs. */
function time(act: () => unknown): number {
  const until = performance.now() + sliceMs;
  const before = process.cpuUsage();
  let calls = 0;
  for (; performance.now() < until; calls += 50) for (let n = 0; n < 50; n += 1) act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
