import type { Trace } from "@voxbus/bus";
import { readFailure } from "@voxbus/engines";
import type { Voicing } from "./audio-front-end.ts";
import type { AsrEngine, Completion } from "./engines/engine.ts";
import type { Listen, ListenDeps } from "./listen-deps.ts";
import type { ListenMessages } from "./listen-messages.ts";
import type { Outcome } from "./metrics.ts";
import { openRecognition, type UtteranceRecognition } from "./recognize.ts";
import type { Said } from "./said.ts";
import { passGate } from "./speech-gate.ts";
import type { FinalTranscript, TranscriptStore } from "./transcript-store.ts";
import { traceUtterance, type UtteranceSpan } from "./utterance-span.ts";

/** The utterances of one listen. Each is recognized, shown on the device and stored, in the order of speaking. */
export interface Utterances {
  /** True while an utterance is spoken, or is not stored yet. */
  readonly busy: boolean;
  /** Begins an utterance; `from` is its first voiced frame. */
  begin(from: number): void;
  /** Takes more speech of the utterance, 16 kHz mono. */
  write(samples: Int16Array): void;
  /** The utterance pauses after its voiced frame `origin`. */
  pause(origin: number): void;
  /** Ends the utterance; `origin` is its last voiced frame. */
  end(origin: number, voicing: Voicing): void;
  /** Stores an empty transcript at the frame `origin`: a manual listen had no speech, or recognition is impossible. */
  endEmpty(origin: number, reason: "nothing-heard" | "failed"): void;
  /** Discards the utterance that is spoken, and with `ended` also those whose transcripts are not stored yet. */
  discard(options: { readonly ended: boolean }): void;
  /**
   * Discards each utterance that is not recognized yet and whose last voiced frame is at or below the fence `seq`, also if its end is
   * found later: the gateway drops its answer.
   */
  fence(seq: number): void;
  /** Resolves when every ended utterance is stored or has failed. */
  settled(): Promise<void>;
}

/** Context of a listen's utterances. */
export interface UtterancesOptions {
  readonly listen: Listen;
  readonly transcripts: TranscriptStore;
  readonly messages: ListenMessages;
  readonly said: Pick<Said, "since">;
  /** Called in a pause after the frame `origin`, when the engine has judged the words before it. */
  readonly onPause: (origin: number, completion: Completion) => void;
  /** Ends everything at once and stores nothing. */
  readonly signal: AbortSignal;
  /** Called after each utterance. */
  readonly onConcluded: () => void;
  /** Called when a transcript could not be stored, or another worker stored it. */
  readonly onFailed: (error: Error) => void;
}

interface Utterance {
  readonly from: number;
  /** The time of its onset (performance.now, ms). */
  readonly since: number;
  readonly recognition: UtteranceRecognition;
  readonly span: UtteranceSpan;
  /** Its turn in the log: its origin, known from its end on. */
  readonly place: { turn?: number };
  discarded: boolean;
  /** True from its transcript on, which is then stored in any case. */
  recognized: boolean;
}

/** The end of an utterance. */
interface End {
  /** Its last voiced frame. */
  readonly origin: number;
  readonly voicing: Voicing;
  /** The time at which it was found (performance.now, ms). */
  readonly endedAt: number;
}

const samplesPerMs = 16;

/** Creates the utterances of a listen. */
export function createUtterances(deps: ListenDeps, options: UtterancesOptions): Utterances {
  const { listen, messages } = options;
  /** Those that are not stored yet, oldest first. The last one may still be spoken. */
  const open = new Set<Utterance>();
  let current: Utterance | undefined;
  let fence = 0;
  let conclusions = Promise.resolve();

  const enqueue = (work: () => Promise<void>) => void (conclusions = conclusions.then(work).catch(options.onFailed));
  function conclude(outcome: Outcome, ms: number, utterance?: Utterance) {
    if (utterance !== undefined) open.delete(utterance);
    utterance?.span.end(outcome, ms);
    deps.metrics.utteranceEnded(outcome, ms, utterance?.recognition.engine.name);
    options.onConcluded();
  }
  function drop(utterance: Utterance) {
    utterance.discarded = true;
    utterance.recognition.discard();
    messages.userSpeaking(false, utterance.from);
    conclude("discarded", 0, utterance);
  }
  async function finish(utterance: Utterance, end: End) {
    if (utterance.discarded) return;
    if (isLate(utterance, end, deps.settings.deadlineMs)) messages.waits(end.origin);
    const { transcript, outcome } = await hearOut(utterance, end, deps, options);
    if (!utterance.discarded) await store(transcript, outcome, end.endedAt, utterance);
  }
  async function store(transcript: FinalTranscript, outcome: Outcome, endedAt: number, utterance?: Utterance) {
    const { origin, reason } = transcript;
    await publish(transcript, utterance?.span.trace ?? listen.sent, options);
    if (utterance?.discarded) return;
    // What has no words has no answer, and `stt` has announced the answer to a text.
    const answered = reason === "unrecognized" || reason === "failed";
    messages.userSpeaking(false, origin, answered ? origin : undefined);
    conclude(outcome, performance.now() - endedAt, utterance);
  }

  return {
    get busy() {
      return open.size > 0;
    },
    begin(from) {
      open.add((current = openUtterance(from, deps, options)));
      messages.userSpeaking(true, from);
    },
    write(samples) {
      current?.span.spoke(samples.length / samplesPerMs);
      current?.recognition.write(samples);
    },
    pause(origin) {
      void current?.recognition.judgePause().then((completion) => options.onPause(origin, completion));
    },
    end(origin, voicing) {
      const utterance = current;
      current = undefined;
      if (utterance === undefined) return;
      const endedAt = performance.now();
      utterance.span.endOfSpeech(origin);
      utterance.place.turn = origin;
      if (origin <= fence) drop(utterance);
      else enqueue(() => finish(utterance, { origin, voicing, endedAt }));
    },
    endEmpty(origin, reason) {
      const { language } = deps.profileOf(listen.device);
      const endedAt = performance.now();
      const empty = { listen: listen.seq, from: origin, origin, text: "", language, reason };
      enqueue(() => store(empty, reason, endedAt));
    },
    discard({ ended }) {
      for (const utterance of open) if (ended || utterance === current) drop(utterance);
      current = undefined;
    },
    fence(seq) {
      fence = Math.max(fence, seq);
      for (const utterance of open) if (isFenced(utterance, fence)) drop(utterance);
    },
    settled: () => conclusions,
  };
}

/** Shows a transcript on the device and stores it. */
async function publish(
  transcript: FinalTranscript,
  trace: Trace,
  { transcripts, messages, signal }: Pick<UtterancesOptions, "transcripts" | "messages" | "signal">,
): Promise<void> {
  // Published first, so that the device shows the question before its answer begins.
  if (transcript.text !== "") messages.transcript(transcript, trace);
  if (!(await transcripts.store(transcript, trace, signal)))
    throw new Error("another asr stored this speech and has the listen now");
}

/** Opens an utterance with the engine of the device's profile. */
function openUtterance(from: number, deps: ListenDeps, options: UtterancesOptions): Utterance {
  const { enginesOf, log, profileOf, settings } = deps;
  const { listen, transcripts, messages, signal } = options;
  const { device, session } = listen;
  const profile = profileOf(device);
  const { language } = profile;
  const span = traceUtterance(listen, { from });
  const place: Utterance["place"] = {};
  const request = {
    language,
    device,
    transcriptMs: settings.transcriptMs,
    onPartial: (text: string) => messages.partial({ utterance: transcripts.next, from, text, language }),
    onFailed(err: unknown, engine: AsrEngine) {
      const about = { engine: engine.name, reason: readFailure(err), device, session, ...place };
      log.warn({ err, ...about }, "recognition failed");
      span.failed(err, engine.name);
    },
  };
  const recognition = openRecognition(enginesOf(profile), request, signal);
  return { from, since: performance.now(), recognition, span, place, discarded: false, recognized: false };
}

/** Tells whether an utterance that is not recognized yet has ended at or below the fence. */
function isFenced({ place, recognized }: Utterance, fence: number): boolean {
  return !recognized && place.turn !== undefined && place.turn <= fence;
}

/** Tells whether an utterance will have waited too long, also for those before it, when its recognition starts. */
function isLate({ recognition }: Utterance, { endedAt }: End, deadlineMs: number): boolean {
  const waitMs = recognition.engine.waitMs();
  return waitMs > 0 && performance.now() - endedAt + waitMs > deadlineMs;
}

/** Waits for the transcript of an utterance that has ended, and passes it through the gate. */
async function hearOut(
  utterance: Utterance,
  { origin, voicing, endedAt }: End,
  deps: ListenDeps,
  { listen, said }: Pick<UtterancesOptions, "listen" | "said">,
) {
  const recognized = await utterance.recognition.finish();
  utterance.recognized = true;
  const ms = performance.now() - endedAt;
  const engine = utterance.recognition.engine.name;
  utterance.span.recognized({ engine, ms, text: deps.settings.traceContent ? recognized.text : undefined });
  if (!utterance.discarded) deps.metrics.engineRan({ engine, ms, failed: recognized.reason === "failed" });
  const { heard, outcome } = passGate(recognized, { voicing, said: said.since(utterance.since) });
  const by = heard.reason === "failed" ? {} : { engine };
  return { transcript: { listen: listen.seq, from: utterance.from, origin, ...heard, ...by }, outcome };
}
