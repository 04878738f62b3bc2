import { createOpusDecoder } from "@voxbus/audio";
import { encodeSpeech, loadSpeech, silence } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { AsrEngine, Recognition, Transcript } from "./engine.ts";
import { joinSamples } from "../join-samples.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 30_000 });

/** The engine under test, and where it may differ from others. */
export interface EngineSuiteOptions {
  readonly create: () => Promise<AsrEngine>;
  /** Recordings of samples/ and their transcripts. */
  readonly speech: Readonly<Record<string, string>>;
  /** Recordings that the engine must not recognize. */
  readonly foreign: readonly string[];
  /** The reason that it gives for them. */
  readonly foreignReason: NonNullable<Transcript["reason"]>;
  /** The utterances that it recognizes at the same time. */
  readonly slots: number;
  /** True if it has partial transcripts. */
  readonly partials: boolean;
}

/** Tests the promises of `AsrEngine`. */
export function testEngine(name: string, options: EngineSuiteOptions): void {
  describe(`${name} engine`, () => {
    let engine: AsrEngine;
    const never = new AbortController().signal;
    const request = { language: "en" };
    const [first, second] = Object.keys(options.speech) as [string, string];
    const say = (recognition: Recognition, sample: string) => {
      const sound = joinSamples(silence(300), loadSpeech(sample));
      for (const piece of passThroughOpus(sound)) recognition.write(piece);
      return recognition;
    };

    beforeAll(async () => {
      engine = await options.create();
    });
    afterAll(() => engine.close());

    test.each(Object.entries(options.speech))("speech %s: is recognized", async (sample, text) => {
      const transcript = await say(engine.open(request, never), sample).finish();
      expect(transcript).toMatchObject({ text, language: expect.stringMatching(/^en\b/) as string });
      expect(transcript.reason).toBeUndefined();
    });

    test.each(options.foreign)("speech %s, which it does not know: an empty text with a reason", async (sample) => {
      const transcript = await say(engine.open(request, never), sample).finish();
      expect(transcript).toMatchObject({ text: "", reason: options.foreignReason });
    });

    test("an utterance without sound: an empty text with a reason", async () => {
      expect(await engine.open(request, never).finish()).toMatchObject({ text: "", reason: "nothing-heard" });
    });

    test("more utterances than slots: each gets its own text", async () => {
      const samples = Array.from({ length: options.slots * 2 + 1 }, (_, i) => (i % 2 === 0 ? first : second));
      const open = samples.map((sample) => say(engine.open(request, never), sample));
      const texts = await Promise.all(open.map(async (each) => (await each.finish()).text));
      expect(texts).toEqual(samples.map((sample) => options.speech[sample]));
    });

    test("an aborted utterance: rejects with the reason and leaves its slot to others", async () => {
      const reason = new Error("enough");
      for (let i = 0; i < options.slots * 2; i++) {
        const abort = new AbortController();
        const recognition = say(engine.open(request, abort.signal), first);
        const finished = i % 2 === 0 ? recognition.finish() : undefined;
        abort.abort(reason);
        recognition.write(new Int16Array(960));
        await expect(finished ?? recognition.finish()).rejects.toBe(reason);
      }
      expect((await say(engine.open(request, never), first).finish()).text).toBe(options.speech[first]);
    });

    test("a signal that aborted before: opens nothing", () => {
      const reason = new Error("too late");
      expect(() => engine.open(request, AbortSignal.abort(reason))).toThrow(reason);
    });

    test.runIf(options.partials)("partials: grow word by word and end before the transcript", async () => {
      const partials: string[] = [];
      const recognition = say(engine.open({ ...request, onPartial: (text) => partials.push(text) }, never), first);
      // Once the utterance has ended, its partial transcripts are left out.
      await expect.poll(() => partials.length, { timeout: 10_000 }).toBeGreaterThan(1);
      const { text } = await recognition.finish();
      const count = partials.length;
      expect(text.startsWith(partials.at(-1)!.split(" ")[0]!)).toBe(true);
      expect(new Set(partials).size).toBeGreaterThan(1);
      await say(engine.open(request, never), second).finish();
      expect(partials).toHaveLength(count);
    });

    test("close: ends open utterances with an error", async () => {
      const closing = await options.create();
      const finished = say(closing.open(request, never), first).finish();
      const refused = expect(finished).rejects.toThrow();
      await closing.close();
      await refused;
    });
  });
}

/** Encodes samples as a device does and decodes them again, in pieces of 60 ms. */
function passThroughOpus(samples: Int16Array): Int16Array[] {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const pieces = encodeSpeech(samples).map((packet) => decoder.decode(packet));
  decoder.close();
  return pieces;
}
