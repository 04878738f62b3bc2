import type { OpenTask } from "@voxbus/workers";
import type { Bus, Claim } from "@voxbus/bus";
import { channels, type Inbound, type InControlFrame, type ListenMode } from "@voxbus/protocol";
import type { AsrEngine } from "./engines/engine.ts";
import { readFinals } from "./transcript-store.ts";
import type { EndOfSpeech, Found } from "./audio-front-end.ts";
import type { ListeningContract } from "./audio-front-end-worker.ts";
import { createUtterances, type Outcome } from "./utterances.ts";

/** What a listen works with. */
export interface ListenTools {
  readonly bus: Bus;
  readonly engine: AsrEngine;
  /** Opens a listening slot in a thread. */
  readonly openListening: (request: EndOfSpeech, signal: AbortSignal) => OpenTask<ListeningContract>;
  /** The language that a device's user speaks, a BCP 47 tag. */
  readonly languageOf: (device: string) => string;
  /** ms of silence after which an utterance is over, and ms after which it is cut. */
  readonly endOfSpeech: EndOfSpeech;
  /** Aborted when the program begins to stop: a listen goes on only until what is being said is stored. */
  readonly stopping: AbortSignal;
  /** Told of a packet that is no Opus, with the reason. */
  readonly onRefused: (code: string) => void;
  /** Counts an utterance; `ms` from the end of the speech, as it was detected, to the stored transcript. */
  readonly measure: (outcome: Outcome, ms: number) => void;
  readonly onTrouble: (error: unknown) => void;
  /** Told what the engine took for an utterance after its end, in ms. */
  readonly recognised?: (ms: number, failed: boolean) => void;
  /** True if traces may hold transcripts. */
  readonly traceContent?: boolean;
}

// Some devices send nothing while nobody speaks: after so long without a frame the speech is over.
const idleMs: Readonly<Record<ListenMode, number>> = { auto: 3000, realtime: 3000, manual: 10_000 };
// A claim dies with its message, which the stream keeps for six hours.
const maxListenMs = 5 * 3_600_000;

/**
 * Works on one listen (docs/bus.md, claim and follow). Resolves when it is over: by stop, a new start, abort, the end of
 * the session or of its gateway. Rejects when another worker shall go on with it.
 */
export async function followListen(claim: Claim<InControlFrame>, tools: ListenTools): Promise<void> {
  const { bus, engine, stopping } = tools;
  const { device, message, sent, signal } = claim;
  const { session, seq: listen, body } = message;
  if (body.type !== "listen") return;
  const { mode, gateway } = body;
  const finals = await readFinals({ bus, device, session }, signal);
  const { last } = finals;
  if (last !== undefined && (last.listen > listen || (last.listen === listen && mode === "manual"))) return;
  const language = tools.languageOf(device);
  const after = Math.max(listen, last?.origin ?? 0);

  let failure: Error | undefined;
  let over = false;
  let stopSeq: number | undefined;
  let spoken = false;
  let newest = after;

  const endMs = mode === "manual" ? Infinity : tools.endOfSpeech.endMs;
  const task = tools.openListening({ ...tools.endOfSpeech, endMs }, signal);
  const utterances = createUtterances({
    bus,
    engine,
    finals,
    device,
    session,
    listen,
    language,
    trace: sent,
    listenTrace: claim.trace,
    signal,
    concluded(outcome, ms) {
      tools.measure(outcome, ms);
      yieldWhenStopping();
    },
    failed: fail,
    onTrouble: tools.onTrouble,
    recognised: tools.recognised,
    traceContent: tools.traceContent,
  });

  /** The listen is over; what was said is forgotten, with `ended` also what was said to the end. */
  function end(discard: { readonly ended: boolean }) {
    over = true;
    utterances.discard(discard);
    task.end();
  }
  function stop(seq: number) {
    if (stopSeq !== undefined) return;
    stopSeq = seq;
    task.write({ type: "flush" });
    task.end();
  }
  function fail(error: Error) {
    failure ??= error;
    end({ ended: true });
  }
  function yieldWhenStopping() {
    if (stopping.aborted && !utterances.busy && !over && stopSeq === undefined) fail(new Error("this asr stops"));
  }

  const idle = setTimeout(() => {
    if (!utterances.busy) return;
    if (mode === "manual") stop(newest);
    else task.write({ type: "flush" });
  }, idleMs[mode]);

  function takeFrame(frame: Inbound) {
    newest = frame.seq;
    if (frame.kind === "control") takeControl(frame);
    if (frame.kind !== "audio" || stopSeq !== undefined || over) return;
    idle.refresh();
    if (!utterances.busy && frame.at - message.at > maxListenMs) return end({ ended: false });
    task.write({ type: "packet", seq: frame.seq, packet: frame.body });
  }
  function takeControl({ seq, body }: InControlFrame) {
    if (body.type === "stop") stop(seq);
    else if (body.type === "listen") end({ ended: false });
    else if (body.type === "abort" || body.type === "closed") end({ ended: true });
    else if (body.type === "gap") task.write({ type: "lost", seq, frames: body.frames });
  }
  function takeFound(found: Found) {
    if (found.type === "onset") {
      spoken = true;
      bargeIn(found.from);
      utterances.begin(found.from);
    } else if (found.type === "speech") utterances.write(found.samples);
    else if (found.type === "end") utterances.end(found.origin);
    else if (found.type === "refused") tools.onRefused(found.code);
    else if (stopSeq !== undefined && mode === "manual" && !spoken) utterances.endEmpty(stopSeq, "silence");
  }
  // Only the gateway knows whether something sounds; if not, nothing happens.
  function bargeIn(from: number) {
    // What this speech causes must stay above the fence, even if all of it came in one frame.
    const body = { type: "barge-in", seq: from - 1 } as const;
    bus.publish(channels.out(device), { session, kind: "control", body }, {});
  }

  const following = bus.follow({
    device,
    session,
    gateway,
    after,
    frame: takeFrame,
    lost: (from, to) => task.write({ type: "lost", seq: to, frames: to - from + 1 }),
    gone: () => end({ ended: true }),
  });
  stopping.addEventListener("abort", yieldWhenStopping);
  try {
    // It killed its workers before anything was heard of it: better an apology than one more.
    if (claim.final && after === listen) {
      utterances.endEmpty(after, "failed");
      end({ ended: false });
    }
    yieldWhenStopping();
    for await (const results of task.results) for (const found of results) if (!over) takeFound(found);
    await utterances.settled();
    if (failure !== undefined) throw failure;
  } finally {
    stopping.removeEventListener("abort", yieldWhenStopping);
    clearTimeout(idle);
    following.close();
    utterances.discard({ ended: true });
  }
}
