import { readFailure } from "@voxbus/engines";
import type { PoolRecorder } from "@voxbus/pools";
import type { Log } from "@voxbus/subscriber";
import { TtsError, type TtsEngine } from "./engines/engine.ts";
import type { PreferredEngines } from "./engines/preference.ts";
import type { TtsMetrics } from "./metrics.ts";
import { createPacketCache } from "./packet-cache.ts";
import { type Problem, problemTexts } from "./problem-texts.ts";
import { latinShare } from "./script.ts";
import {
  createSpeechEncoder,
  type EncoderLoad,
  type SpeechEncoder,
  type SpokenPacket,
  type TimedSpeech,
} from "./speech-encoder.ts";

/** A sentence, the engines that are preferred for it, and what happened to the sentences before it. */
export interface SentenceRequest extends TimedSpeech {
  /** The names of the engines that are preferred for it, in order. */
  readonly engine?: string | readonly string[] | undefined;
  /** The outage of the sentence's reply. Absent for a sentence of its own. */
  readonly outage?: Outage | undefined;
}

/** The problems in speaking one reply, which its sentences share. */
export interface Outage {
  /** Fields of the log's lines about the reply. */
  readonly about: Readonly<Record<string, unknown>>;
  /** The engines that did not answer. They are not asked again in this reply. */
  readonly away: Set<string>;
  /** True once a problem was spoken of. Later sentences that cannot be spoken are silent. */
  told: boolean;
  /** The latest problem. */
  cause?: unknown;
}

/** Creates the state of a reply without problems. `about` names the reply in the log. */
export function createOutage(about: Outage["about"] = {}): Outage {
  return { about, away: new Set(), told: false };
}

/** Turns sentences into packets, with the engine that can speak them. */
export interface SentenceSpeaker {
  /**
   * Speaks one sentence with the first engine that speaks it (`engine` before the others, and those that cool down last), then with
   * the next if it fails.
   * If all fail, a sentence says so, in the sentence's language if an engine speaks that, otherwise in English; once for
   * each reply. Throws if even the fallback fails, or the signal's reason.
   */
  speak(request: SentenceRequest, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Says that something went wrong: in the language if an engine speaks it, otherwise in English. */
  apologize(language: string | undefined, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Gives the packets of a text as this engine speaks it, for a warm-up: it is neither measured nor kept. */
  rehearse(engine: TtsEngine, text: string, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** The statistics of the threads that encode. */
  readonly recorder: PoolRecorder;
  /** Returns the present load of the threads that encode. */
  load(): EncoderLoad;
  /** Ends every running sentence and the threads. The engines stay open. */
  close(): Promise<void>;
}

const rehearsing = "rehearsal";

/** Dependencies of a sentence speaker. */
export interface SentenceSpeakerDeps extends PreferredEngines {
  /** Puts the engines that are usable first. */
  readonly order?: (engines: readonly TtsEngine[]) => readonly TtsEngine[];
  readonly log: Pick<Log, "warn">;
  readonly metrics: Pick<TtsMetrics, "engineFailed" | "synthesized" | "cacheAsked">;
  /** The largest number of worker threads that resample and encode. */
  readonly threads: number;
  /** Memory for the packets of sentences that were spoken (0). */
  readonly cacheBytes?: number;
}

/** Creates a sentence speaker and starts its threads. */
export async function createSentenceSpeaker(deps: SentenceSpeakerDeps): Promise<SentenceSpeaker> {
  const { engines, fallback, order = (list) => list, log, metrics } = deps;
  const encoder = await openEncoder(deps);

  function noteUnspeakable({ language }: SentenceRequest, outage: Outage): void {
    outage.cause = new TtsError("refused", "no engine speaks the sentence");
    log.warn({ err: outage.cause, language, ...outage.about }, "sentence not spoken");
  }

  async function* speak(request: SentenceRequest, signal: AbortSignal): AsyncGenerator<SpokenPacket> {
    const { outage = createOutage() } = request;
    const chosen = choose(deps, request);
    for (const engine of order(chosen).filter(({ name }) => !outage.away.has(name))) {
      let spoken = false;
      try {
        for await (const packet of encoder.speak(engine, request, signal)) {
          spoken = true;
          // Packets of a stand-in do not repeat: the next time, the first engine may speak the sentence.
          yield { ...packet, repeatable: packet.repeatable && engine === chosen[0] };
        }
        return;
      } catch (err) {
        noteFailure(engine, err, outage, signal);
        // The part that was spoken already must not be repeated by another voice.
        if (spoken) break;
      }
    }
    if (outage.told) return;
    outage.told = true;
    const isUnspeakable = chosen.length === 0;
    if (isUnspeakable) noteUnspeakable(request, outage);
    for await (const packet of tell(isUnspeakable ? "unspeakable" : "failed", request, outage, signal))
      yield { ...packet, repeatable: packet.repeatable && isUnspeakable };
  }

  /** Logs and counts a failure. Throws the signal's reason if that is the cause. */
  function noteFailure(engine: TtsEngine, err: unknown, outage: Outage, signal: AbortSignal): void {
    signal.throwIfAborted();
    outage.cause = err;
    metrics.engineFailed(engine.name);
    log.warn({ err, engine: engine.name, reason: readFailure(err), ...outage.about }, "synthesis failed");
    const isAway = err instanceof TtsError && (err.code === "unavailable" || err.code === "time-out");
    if (isAway) outage.away.add(engine.name);
  }

  /** Speaks of a problem with the first engine that can, in the end with the fallback. */
  async function* tell(
    problem: Problem,
    { language, deadline, turn }: Pick<SentenceRequest, "language" | "deadline" | "turn">,
    outage: Outage,
    signal: AbortSignal,
  ): AsyncGenerator<SpokenPacket> {
    const texts = problemTexts(problem, language);
    const foreign = texts.filter((text) => text.language !== "en");
    for (const text of foreign) {
      for (const engine of engines.filter((engine) => !outage.away.has(engine.name) && engine.speaks(text))) {
        try {
          yield* encoder.speak(engine, { ...text, deadline, turn }, signal);
          return;
        } catch (err) {
          noteFailure(engine, err, outage, signal);
        }
      }
    }
    yield* encoder.speak(fallback, { ...texts.at(-1)!, deadline, turn }, signal);
  }

  return {
    speak,
    apologize: (language, signal) => tell("failed", { language }, createOutage(), signal),
    rehearse: (engine, text, signal) =>
      encoder.speak({ ...engine, name: rehearsing, repeatable: false }, { text }, signal),
    recorder: encoder.recorder,
    load: () => encoder.load(),
    close: () => encoder.close(),
  };
}

/** Starts the threads, behind the cache. */
async function openEncoder({ log, metrics, threads, cacheBytes = 0 }: SentenceSpeakerDeps): Promise<SpeechEncoder> {
  const onSynthesized = (engine: string, ms: number) => {
    if (engine !== rehearsing) metrics.synthesized(engine, ms);
  };
  const encoder = await createSpeechEncoder({ threads, onSynthesized, log });
  return createPacketCache(encoder, { maxBytes: cacheBytes, onLookup: (result) => metrics.cacheAsked(result) });
}

/** The engines that speak the sentence, in order. Text that is mostly Latin is at least tried by the fallback. */
function choose({ engines, others = [], fallback }: PreferredEngines, request: SentenceRequest): readonly TtsEngine[] {
  const names = [request.engine ?? []].flat();
  const preferred = names.flatMap((name) => [...engines, ...others].find((engine) => engine.name === name) ?? []);
  const able = [...new Set([...preferred, ...engines])].filter((engine) => engine.speaks(request));
  return able.length === 0 && latinShare(request.text) > 0.5 ? [fallback] : able;
}
