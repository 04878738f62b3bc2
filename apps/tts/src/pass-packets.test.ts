import { createOpusDecoder, createOpusEncoder } from "@voxbus/audio";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Speech, TtsError, type TtsEngine } from "./engines/engine.ts";
import { createSpeechEncoder, type SpeechEncoder } from "./speech-encoder.ts";

const never = new AbortController().signal;
const synthesized: string[] = [];
let encoder: SpeechEncoder;

beforeAll(async () => {
  encoder = await createSpeechEncoder({ threads: 1, onSynthesized: (engine) => synthesized.push(engine) });
});
afterAll(() => encoder.close());

/** Creates an engine that makes these pieces, and then may fail. */
function createEngine(pieces: readonly Speech[], failure?: Error): TtsEngine & { left: number } {
  const engine = {
    name: "scripted",
    repeatable: false,
    longestText: 1000,
    left: 0,
    speaks: () => true,
    async *synthesize() {
      try {
        // A copy, because samples are moved to the threads.
        for (const piece of pieces) yield "samples" in piece ? { ...piece, samples: piece.samples.slice() } : piece;
        if (failure) throw failure;
      } finally {
        engine.left += 1;
      }
    },
    close: async () => undefined,
  };
  return engine;
}

async function speak(engine: TtsEngine): Promise<Uint8Array[]> {
  const bodies: Uint8Array[] = [];
  for await (const { body } of encoder.speak(engine, { text: "Hello." }, never)) bodies.push(body);
  return bodies;
}

function encodeTone(count: number): Uint8Array<ArrayBuffer>[] {
  const opus = createOpusEncoder({ sampleRate: 24_000 });
  const packets = Array.from({ length: count }, (_, n) =>
    opus.encode(Int16Array.from({ length: 1440 }, (_, i) => 9000 * Math.sin((n * 1440 + i) / 9))),
  );
  opus.close();
  return packets;
}

const samples = Int16Array.from({ length: 2000 }, (_, i) => 9000 * Math.sin(i / 9));

test("speech encoder: packets of an engine reach the reader as they are", async () => {
  const packets = encodeTone(5);
  synthesized.length = 0;
  expect(await speak(createEngine([{ packets: packets.slice(0, 3) }, { packets: packets.slice(3) }]))).toEqual(packets);
  expect(synthesized).toEqual(["scripted"]);
});

test("speech encoder: samples between packets are encoded in their place, filled up to a whole packet", async () => {
  const packets = encodeTone(4);
  const bodies = await speak(
    createEngine([
      { packets: packets.slice(0, 2) },
      { sampleRate: 24_000, samples },
      { sampleRate: 24_000, samples },
      { packets: packets.slice(2) },
      { sampleRate: 24_000, samples },
    ]),
  );
  expect(bodies.slice(0, 2)).toEqual(packets.slice(0, 2));
  expect(bodies.slice(5, 7)).toEqual(packets.slice(2));
  // 4,000 samples are three packets, 2,000 are two.
  expect(bodies).toHaveLength(2 + 3 + 2 + 2);
  const decoder = createOpusDecoder({ sampleRate: 24_000 });
  expect(bodies.every((body) => decoder.decode(body).length === 1440)).toBe(true);
  decoder.close();
});

test("speech encoder: an engine that fails behind its packets gives the packets, then the error", async () => {
  const packets = encodeTone(2);
  const failure = new TtsError("failed", "the server broke off");
  const bodies: Uint8Array[] = [];
  const spoken = (async () => {
    for await (const { body } of encoder.speak(createEngine([{ packets }], failure), { text: "Hello." }, never))
      bodies.push(body);
  })();
  await expect(spoken).rejects.toBe(failure);
  expect(bodies).toEqual(packets);
});

test.each<[string, Speech]>([
  ["packets", { packets: encodeTone(3) }],
  ["samples", { sampleRate: 24_000, samples: Int16Array.from([...samples, ...samples]) }],
])("speech encoder: a reader that leaves amid %s ends the synthesis", async (_, piece) => {
  const engine = createEngine([piece, piece, piece]);
  for await (const __ of encoder.speak(engine, { text: "Hello." }, never)) break;
  await expect.poll(() => engine.left).toBe(1);
});
