import { BusAwayError, type Bus } from "@voxbus/bus";
import { channels, type Heard, type Outbound, type OutControl } from "@voxbus/protocol";
import type { AsrEngine, Recognition } from "./engines/engine.ts";
import type { Final, Finals } from "./transcript-store.ts";
import { traceUtterance, type UtteranceTrace } from "./utterance-trace.ts";

/** How an utterance ended. */
export type Outcome = "heard" | "discarded" | NonNullable<Heard["reason"]>;

/** The utterances of one listen: each is recognised, told to the device and stored, in the order they were spoken. */
export interface Utterances {
  /** Whether one is being spoken, or spoken and not stored yet. */
  readonly busy: boolean;
  /** Voice began at the frame `from`. */
  begin(from: number): void;
  /** More of the speech that began, 16 kHz mono. */
  write(samples: Int16Array): void;
  /** The speech that began is over; `origin` was its last voiced frame. */
  end(origin: number): void;
  /** Stores that nothing was understood until the frame `origin`: nobody spoke in a manual listen, or recognition cannot be had. */
  endEmpty(origin: number, reason: "silence" | "failed"): void;
  /** Forgets the utterance being spoken; with `ended` those too whose transcripts are not stored yet. */
  discard(options: { readonly ended: boolean }): void;
  /** Resolves when everything that ended is stored, or could not be. */
  settled(): Promise<void>;
}

/** What utterances are made of. */
export interface UtterancesOptions {
  readonly bus: Bus;
  readonly engine: AsrEngine;
  readonly finals: Finals;
  readonly device: string;
  readonly session: string;
  /** The seq of the listen's opening frame. */
  readonly listen: number;
  readonly language: string;
  /** The trace context that came with the listen, and that of the work on it. */
  readonly trace: Readonly<Record<string, string>>;
  readonly listenTrace: Readonly<Record<string, string>>;
  /** Ends everything at once, storing nothing. */
  readonly signal: AbortSignal;
  /** Told after each one; `ms` is what storing it took since the end of the speech. */
  readonly concluded: (outcome: Outcome, ms: number) => void;
  /** Told that a transcript could not be stored, or that another worker stored it. */
  readonly failed: (error: Error) => void;
  readonly onTrouble: (error: unknown) => void;
  /** Told what the engine took for each one after its end, in ms. */
  readonly recognised?: ((ms: number, failed: boolean) => void) | undefined;
  /** True if traces may hold transcripts. */
  readonly traceContent?: boolean | undefined;
}

interface Utterance {
  readonly from: number;
  readonly abort: AbortController;
  readonly recognition: Recognition | undefined;
  readonly trace: UtteranceTrace;
  discarded: boolean;
}

// A recogniser may queue; beyond this the user is better served by an apology.
const transcriptMs = 20_000;
const samplesPerMs = 16;
// Nothing in a turn waits for what is only told along the way: in its trace it would hide what matters.
const untraced = {};

/** Starts with none. */
export function createUtterances(options: UtterancesOptions): Utterances {
  const { bus, engine, finals, device, session, listen, language, trace, signal, concluded, failed, onTrouble } =
    options;
  /** Those that are not stored yet, oldest first; the last one may still be spoken. */
  const open = new Set<Utterance>();
  let current: Utterance | undefined;
  let conclusions = Promise.resolve();

  const publish = (envelope: Outbound, headers = untraced) =>
    bus.publish(channels.out(device), { session, ...envelope }, headers);

  // Drain and announcements wait for these; a turn does without them.
  function tellHearing(on: boolean, seq: number, origin?: number) {
    try {
      const body: OutControl = { type: "user-speaking", seq, on, ...(origin !== undefined && { origin }) };
      publish({ kind: "control", body });
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
    }
  }

  function tellPartial(from: number, text: string) {
    const partial = { session, listen, utterance: finals.next, from, origin: from, text, language };
    try {
      bus.publish(channels.heardPartial(device), partial, untraced);
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
    }
  }

  function openRecognition(from: number, abort: AbortController): Recognition | undefined {
    try {
      const onPartial = (text: string) => tellPartial(from, text);
      return engine.open({ language, onPartial }, AbortSignal.any([signal, abort.signal]));
    } catch (error) {
      onTrouble(error);
      return undefined;
    }
  }

  async function recognise({
    recognition,
    abort,
  }: Utterance): Promise<Pick<Heard, "text" | "language" | "confidence" | "reason">> {
    const late = new Error(`the ${engine.name} engine gave no transcript within ${transcriptMs} ms`);
    const timer = setTimeout(() => abort.abort(late), transcriptMs);
    try {
      if (recognition !== undefined) return await recognition.finish();
    } catch (error) {
      signal.throwIfAborted();
      if (error !== discardedReason) onTrouble(error);
    } finally {
      clearTimeout(timer);
    }
    return { text: "", language, reason: "failed" };
  }

  async function finish(utterance: Utterance, origin: number, endedAt: number) {
    const heard = await recognise(utterance);
    const engineMs = performance.now() - endedAt;
    utterance.trace.recognised(engineMs, options.traceContent === true ? heard.text : undefined);
    if (!utterance.discarded) options.recognised?.(engineMs, heard.reason === "failed");
    if (!utterance.discarded) await store({ listen, from: utterance.from, origin, ...heard }, endedAt, utterance);
  }

  async function store(final: Final, endedAt: number, utterance?: Utterance) {
    const { origin, text, reason } = final;
    const headers = utterance?.trace.headers ?? trace;
    // Before the transcript is stored, so that the device shows what was heard before it hears the answer begin.
    if (text !== "") publish({ kind: "text", origin, body: { type: "stt", text } }, headers);
    if (!(await finals.store(final, headers, signal)))
      throw new Error("another asr stored this speech: the listen is its own");
    if (utterance?.discarded) return;
    // Nobody answers silence, and the answer to a text was announced by its stt.
    tellHearing(false, origin, reason === "unrecognized" || reason === "failed" ? origin : undefined);
    conclude(reason ?? "heard", performance.now() - endedAt, utterance);
  }

  function conclude(outcome: Outcome, ms: number, utterance?: Utterance) {
    if (utterance !== undefined) open.delete(utterance);
    utterance?.trace.end(outcome, ms);
    concluded(outcome, ms);
  }

  function enqueue(work: () => Promise<void>) {
    conclusions = conclusions.then(work).catch(failed);
  }

  return {
    get busy() {
      return open.size > 0;
    },
    begin(from) {
      const abort = new AbortController();
      const recognition = openRecognition(from, abort);
      current = {
        from,
        abort,
        recognition,
        trace: traceUtterance(trace, { engine: engine.name, from, listen: options.listenTrace }),
        discarded: false,
      };
      open.add(current);
      tellHearing(true, from);
    },
    write(samples) {
      current?.trace.spoke(samples.length / samplesPerMs);
      current?.recognition?.write(samples);
    },
    end(origin) {
      const utterance = current;
      current = undefined;
      const endedAt = performance.now();
      utterance?.trace.endpoint(origin);
      if (utterance !== undefined) enqueue(() => finish(utterance, origin, endedAt));
    },
    endEmpty(origin, reason) {
      const endedAt = performance.now();
      enqueue(() => store({ listen, from: origin, origin, text: "", language, reason }, endedAt));
    },
    discard({ ended }) {
      for (const utterance of open) {
        if (utterance !== current && !ended) continue;
        utterance.discarded = true;
        utterance.abort.abort(discardedReason);
        tellHearing(false, utterance.from);
        conclude("discarded", 0, utterance);
      }
      current = undefined;
    },
    settled: () => conclusions,
  };
}

const discardedReason = new Error("the utterance was discarded");
