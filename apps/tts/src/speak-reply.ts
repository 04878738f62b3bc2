import { setTimeout as delay } from "node:timers/promises";
import type { Bus, Claim, Closer } from "@voxbus/bus";
import type { Profiles, SessionWatch } from "@voxbus/presence";
import { channels, type InControlFrame, type Priority, type Say } from "@voxbus/protocol";
import { ShedError, type Admission } from "@voxbus/pools";
import { signalShed, signalWork, type Log, type WorkSigns } from "@voxbus/subscriber";
import { followSentences } from "./follow-sentences.ts";
import type { TtsMetrics } from "./metrics.ts";
import { createReplyOutput, type ReplyOutput } from "./reply-output.ts";
import { traceReply, type ReplySpan } from "./reply-span.ts";
import { createSentenceSender, type SendSentence } from "./sentence-sender.ts";
import { createOutage, type Outage, type SentenceSpeaker } from "./sentence-speaker.ts";

/** Dependencies of the work on a reply. */
export interface SpeakDeps {
  readonly bus: Bus;
  readonly admission: Pick<Admission, "enter" | "take">;
  readonly log: Pick<Log, "warn">;
  readonly metrics: Pick<TtsMetrics, "firstSound" | "replyShed">;
  readonly profiles: Pick<Profiles, "of">;
  readonly sessions: Pick<SessionWatch, "follow">;
  readonly speaker: SentenceSpeaker;
  readonly limits: ReplyLimits;
}

/** Times in ms. */
interface ReplyLimits {
  /** The longest wait for the next sentence of a reply. */
  readonly sentenceMs: number;
  /** The time from a turn to its first sound, after which it is late. */
  readonly deadlineMs: number;
}

// An announcement waits at most 30 s for the user, and a reply for another one to end. Then the gateway reports an outcome.
const outcomeMs = 90_000;
// After this time the gateway has reconnected to NATS too.
const reconnectedMs = 1000;

/**
 * Speaks one reply. Its frames are sent named, at most 10 s ahead of real time. They are kept and sent again on request
 * until the gateway reports that the reply was played, failed or fenced, or until the session is gone. Resolves then. If the
 * claim is lost, it rejects with the claim's reason, so that another worker begins again.
 */
export async function speakReply(claim: Claim<Say>, deps: SpeakDeps): Promise<void> {
  const { bus, log, metrics, sessions } = deps;
  const { device, message: opening, attempt } = claim;
  const { session, origin, reply } = opening;
  const span = traceReply({ device, reply, attempt, trace: claim.trace });
  const name = { session, origin, reply, attempt };
  const output = createReplyOutput({ bus, log, device, name, trace: span.trace });
  const over = new AbortController();
  const signal = AbortSignal.any([claim.signal, over.signal]);
  const claimedAt = performance.now();
  let signs: WorkSigns | undefined;
  const onFirstSound = () => {
    metrics.firstSound(performance.now() - claimedAt);
    signs?.waits(false);
  };
  const about = { device, session, turn: origin, reply };
  const outage = createOutage(about);
  const send = createSentenceSender({ opening, output, span, outage, log, onFirstSound, signal });
  const sendSentence: SendSentence = async (say, packets) => {
    signs = signalWork(bus, device, { session, origin, reply });
    await send(say, packets).finally(() => {
      signs?.close();
      signs = undefined;
    });
  };

  function takeControl(frame: InControlFrame) {
    const { body } = frame;
    if (body.type === "resend" && body.reply === reply) output.resend(body.after);
    else if (endsReply(frame, opening)) over.abort(new Error(body.type));
  }
  const closers = [
    resendAfterOutage(bus, output),
    sessions.follow({ device, session }, () => over.abort(new Error("session gone"))),
    bus.subscribe(channels.inControl(device), takeControl),
    bus.subscribe(channels.event(device), ({ turn, session: from }) => {
      if (!turn) return;
      const ofTurn = turn.origin !== undefined && turn.origin === origin && from === session;
      if (turn.reply === reply || ofTurn) over.abort(new Error("played"));
    }),
  ];
  try {
    // The newest control may be older than this claim: a fence, or the request that the worker before left open.
    const before = bus.lastStored(channels.inControl(device), signal).then(
      ({ message }) => message && takeControl(message),
      (err: unknown) => {
        if (!signal.aborted) log.warn({ err, ...about }, "last control unknown");
      },
    );
    if (attempt > 1) await before;
    const leave = await enterReply(claim, deps, output.accepted !== undefined, signal);
    const sent = claim.final
      ? sendApology(deps.speaker, { opening, output, sendSentence }, signal)
      : sendSentences(deps, { claim, outage, output, sendSentence, onLate: () => signs?.waits(true) }, signal);
    await Promise.all([before, sent.finally(leave)]);
    await delay(output.durationMs + outcomeMs, undefined, { signal });
    log.warn(about, "reply outcome missing");
    span.end("no word of the gateway");
  } catch (error) {
    if (error instanceof ShedError) return shed(claim, deps, span);
    if (!over.signal.aborted || claim.signal.aborted) {
      span.end("lost", error);
      throw error;
    }
    span.end((over.signal.reason as Error).message, outage.told ? outage.cause : undefined);
  } finally {
    for (const closer of closers) closer.close();
  }
}

/**
 * Waits for the place of a reply; the result gives it back. The gateway is told that the turn waits. A reply that sounds already does
 * not wait. Throws ShedError, or the signal's reason.
 */
async function enterReply(
  { device, message, storedAt, final }: Claim<Say>,
  { bus, admission }: Pick<SpeakDeps, "bus" | "admission">,
  isBegun: boolean,
  signal: AbortSignal,
): Promise<() => void> {
  if (isBegun || final) return admission.take();
  const { session, origin, reply } = message;
  const since = performance.now() - Math.max(0, bus.now() - storedAt);
  const signs = signalWork(bus, device, { session, origin, reply });
  const request =
    origin === undefined
      ? { priority: "normal" as const, since }
      : { priority: "high" as const, since, onWait: () => signs.waits(true) };
  try {
    const leave = await admission.enter(request, signal);
    signs.waits(false);
    return leave;
  } finally {
    signs.close();
  }
}

/** Ends a reply that found no place in time. */
function shed({ device, message }: Claim<Say>, { bus, log, metrics }: SpeakDeps, span: ReplySpan): void {
  const { session, origin, reply } = message;
  metrics.replyShed(origin === undefined ? "normal" : "high");
  log.warn({ device, session, turn: origin, reply }, "reply shed");
  if (origin !== undefined) signalShed(bus, device, { session, origin });
  span.end("shed");
}

/** Sends the sentences of a reply as they are stored, each spoken by the profile's voice. */
async function sendSentences(
  { bus, profiles, speaker, limits }: SpeakDeps,
  reply: {
    readonly claim: Claim<Say>;
    readonly outage: Outage;
    readonly output: Pick<ReplyOutput, "accepted" | "deadline" | "durationMs">;
    readonly sendSentence: SendSentence;
    /** Called if the first sound of a turn has to wait and will be late. */
    readonly onLate: () => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { claim, outage, output, sendSentence, onLate } = reply;
  const { device, message: opening, seq: openedAt, storedAt } = claim;
  const profile = profiles.of(device);
  const priority: Priority = opening.origin === undefined ? "normal" : "high";
  const since = performance.now() - Math.max(0, bus.now() - storedAt);
  const late = { at: since + limits.deadlineMs, tell: onLate };
  const followed = { bus, device, opening, openedAt, waitMs: limits.sentenceMs };
  for await (const say of followSentences(followed, signal)) {
    const isAwaited = priority === "high" && output.durationMs === 0 && output.accepted === undefined;
    const request = {
      text: say.text,
      language: say.language ?? profile.language,
      voice: profile.voice,
      engine: profile.engines.tts,
      outage,
      deadline: () => output.deadline(say.sentence),
      turn: { device, priority, isLater: say !== opening, late: isAwaited ? late : undefined },
    };
    await sendSentence(say, say.text ? speaker.speak(request, signal) : nothing());
  }
}

/** Sends an apology behind the frames that the gateway has. The reply ended its workers, so it is not read again. */
async function sendApology(
  speaker: SentenceSpeaker,
  reply: { readonly opening: Say; readonly output: ReplyOutput; readonly sendSentence: SendSentence },
  signal: AbortSignal,
): Promise<void> {
  const { opening, output, sendSentence } = reply;
  const sentence = output.accepted ? output.accepted.sentence + 1 : 0;
  await sendSentence(
    { ...opening, sentence, text: "", emotion: "sad", last: true, outcome: "failed" },
    speaker.apologize(opening.language, signal),
  );
}

/** A gateway asks for missing frames of a reply, but not for a reply that it does not know: it gets the first frame. */
function resendAfterOutage(bus: Bus, output: ReplyOutput): Closer {
  let timer: NodeJS.Timeout | undefined;
  const watch = bus.onChange((connected) => {
    clearTimeout(timer);
    if (connected) timer = setTimeout(() => output.resendFirst(), reconnectedMs);
  });
  return {
    close() {
      watch.close();
      clearTimeout(timer);
    },
  };
}

/** True if a control ends a reply: its own fence, or the end of its session, or an abort or fence at or above its origin. */
function endsReply({ body, seq, session }: InControlFrame, reply: Say): boolean {
  if (body.type === "fence" && body.reply === reply.reply) return true;
  if (session !== reply.session) return false;
  if (body.type === "closed") return true;
  const { origin } = reply;
  if (origin === undefined) return false;
  return (body.type === "fence" && body.fence >= origin) || (body.type === "abort" && seq >= origin);
}

async function* nothing(): AsyncGenerator<never> {
  // An end mark has no sound.
}
