import { describe, expect, test } from "vitest";
import { createOpusDecoder, type OpusDecoder, readOpusPacket } from "@voxbus/audio";
import type { Speech, SpeechRequest, TtsEngine } from "./engine.ts";

/** The engine under test, and where it may differ from others. */
export interface EngineSuiteOptions {
  readonly create: () => Promise<TtsEngine>;
  /** True if `speed` changes the length of the sound. */
  readonly speed: boolean;
  /** Requests that it must speak. */
  readonly speaks: readonly SpeechRequest[];
  /** Requests that it must leave to other engines. */
  readonly leaves: readonly SpeechRequest[];
}

/** Collects the sound of a whole synthesis. Packets are checked, and decoded at 24 kHz. */
export async function collectSound(sounds: AsyncIterable<Speech>): Promise<{ sampleRate: number; samples: number[] }> {
  let sampleRate = 0;
  const samples: number[] = [];
  const decoder = createOpusDecoder({ sampleRate: 24_000 });
  for await (const speech of sounds) {
    const sound = "packets" in speech ? decodePackets(speech.packets, decoder) : speech;
    expect(sampleRate === 0 || sampleRate === sound.sampleRate).toBe(true);
    sampleRate = sound.sampleRate;
    for (const sample of sound.samples) samples.push(sample);
  }
  decoder.close();
  return { sampleRate, samples };
}

function decodePackets(packets: readonly Uint8Array[], decoder: OpusDecoder) {
  for (const packet of packets) {
    expect([readOpusPacket(packet).durationMs, packet[0]! & 4]).toEqual([60, 0]);
    expect(packet.length).toBeLessThanOrEqual(1400);
  }
  return { sampleRate: 24_000, samples: packets.flatMap((packet) => [...decoder.decode(packet)]) };
}

const never = new AbortController().signal;
const sentence = "The weather in Paris today is sunny with light wind.";

/** Tests the promises of `TtsEngine`, with a new engine for each test. */
export function testEngine(name: string, options: EngineSuiteOptions): void {
  const withEngine = (rule: string, run: (engine: TtsEngine) => Promise<void>, applies = true) =>
    test.runIf(applies)(rule, async () => {
      const engine = await options.create();
      try {
        await run(engine);
      } finally {
        await engine.close();
      }
    });
  const speak = (engine: TtsEngine, request: SpeechRequest, signal = never) =>
    collectSound(engine.synthesize(request, signal));

  describe(`${name} engine`, () => {
    withEngine("a sentence sounds, as long as it takes to say", async (engine) => {
      const { sampleRate, samples } = await speak(engine, { text: sentence });
      const seconds = samples.length / sampleRate;
      expect(seconds).toBeGreaterThan(1.5);
      expect(seconds).toBeLessThan(6);
      expect(Math.sqrt(samples.reduce((sum, value) => sum + value ** 2, 0) / samples.length)).toBeGreaterThan(300);
    });

    withEngine("says what it speaks and what it leaves to others", async (engine) => {
      for (const request of options.speaks)
        expect([request.text, engine.speaks(request)]).toEqual([request.text, true]);
      for (const request of options.leaves)
        expect([request.text, engine.speaks(request)]).toEqual([request.text, false]);
    });

    withEngine("everything it speaks sounds", async (engine) => {
      for (const request of options.speaks) expect((await speak(engine, request)).samples.length).toBeGreaterThan(1000);
    });

    withEngine("several at once do not disturb each other", async (engine) => {
      const texts = ["One.", "Twenty two bottles.", sentence, "One.", "Twenty two bottles."];
      const sounds = await Promise.all(texts.map((text) => speak(engine, { text })));
      if (engine.repeatable) {
        expect(sounds[0]).toEqual(sounds[3]);
        expect(sounds[1]).toEqual(sounds[4]);
      }
      expect(sounds[2]!.samples.length).toBeGreaterThan(sounds[1]!.samples.length);
      expect(sounds[1]!.samples.length).toBeGreaterThan(sounds[0]!.samples.length);
    });

    withEngine("repeatable means the same samples again", async (engine) => {
      if (!engine.repeatable) return;
      const other = await options.create();
      const again = await speak(other, { text: sentence });
      await other.close();
      expect(await speak(engine, { text: sentence })).toEqual(again);
    });

    withEngine("no text is taken for an option, markup or an end", async (engine) => {
      for (const text of [
        "-o out.wav",
        "--help",
        "<speak>a</speak> & more",
        'say "hi" \\ $HOME `id`',
        "a\0b",
        "x\n\ny",
      ]) {
        expect((await speak(engine, { text })).samples.length).toBeGreaterThan(1000);
      }
    });

    withEngine("text without a word gives no sound and no error", async (engine) => {
      for (const text of ["", " \n ", "…", "🙂", "?!"]) expect((await speak(engine, { text })).samples).toEqual([]);
    });

    withEngine("a voice that it does not have gives way to its own", async (engine) => {
      expect((await speak(engine, { text: "Hello.", voice: "../nobody" })).samples.length).toBeGreaterThan(1000);
    });

    withEngine(
      "speed changes the length",
      async (engine) => {
        const [slow, fast] = [0.7, 1.4].map((speed) => speak(engine, { text: sentence, speed }));
        expect((await slow!).samples.length).toBeGreaterThan((await fast!).samples.length * 1.3);
      },
      options.speed,
    );

    withEngine("an abort throws its reason, before and during, and the next sentence is spoken", async (engine) => {
      const reason = new Error("enough");
      await expect(speak(engine, { text: sentence }, AbortSignal.abort(reason))).rejects.toBe(reason);
      const stop = new AbortController();
      const long = Array<string>(20).fill(sentence).join(" ");
      const running = speak(engine, { text: long }, stop.signal);
      const from = performance.now();
      setImmediate(() => stop.abort(reason));
      await expect(running).rejects.toBe(reason);
      expect(performance.now() - from).toBeLessThan(500);
      expect((await speak(engine, { text: "Hello." })).samples.length).toBeGreaterThan(1000);
    });

    withEngine("a reader that leaves early leaves nothing behind", async (engine) => {
      for await (const _ of engine.synthesize({ text: sentence }, never)) break;
      expect((await speak(engine, { text: "Hello." })).samples.length).toBeGreaterThan(1000);
    });

    withEngine("after it is closed it throws", async (engine) => {
      await engine.close();
      await expect(speak(engine, { text: sentence })).rejects.toMatchObject({ name: "TtsError" });
    });
  });
}
