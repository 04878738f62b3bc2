import { setTimeout as delay } from "node:timers/promises";
import { BusAwayError, type Bus, type Claim, type Closer } from "@voxbus/bus";
import { channels, type FrameName, type InControl, type Profile, type Say } from "@voxbus/protocol";
import { followSentences } from "./follow-sentences.ts";
import { traceReply } from "./reply-span.ts";
import { createReplyFrames, type FrameBody, type FramePlace } from "./reply-frames.ts";
import { packetMs, type Speech, type SpokenPacket } from "./synthesis.ts";

/** What speaking a reply stands on. */
export interface SpeakBase {
  readonly bus: Bus;
  readonly speech: Speech;
  readonly profileOf: (device: string) => Profile;
  /** The first sound of a reply was sent, so many ms after its claim. */
  readonly onFirstSound: (ms: number) => void;
  /** Something went wrong that the reply survives. */
  readonly onTrouble: (what: string, error: unknown) => void;
}

const aheadMs = 10_000;
const tickMs = 250;
// An announcement waits at most 30 s for the user, a reply for another one to end; then the gateway would have said so.
const afterwardsMs = 90_000;
// By then the gateway is back at NATS too.
const knockMs = 1000;
const longestSubtitle = 2500;

/**
 * Speaks one reply: its frames go out named, at most 10 s ahead of real time, and are kept and sent again on request until
 * the gateway says that the reply was played, failed or fenced. Resolves then. Rejects with the claim's reason when the
 * claim is lost, so that another worker begins again.
 */
export async function speakReply(base: SpeakBase, claim: Claim<Say>): Promise<void> {
  const { bus, speech, onTrouble } = base;
  const { device, message: opening, attempt } = claim;
  const { session, origin, reply } = opening;
  const profile = base.profileOf(device);
  const frames = createReplyFrames({ session, origin, reply, attempt });
  const span = traceReply({ device, reply, attempt, trace: claim.trace });
  const over = new AbortController();
  const signal = AbortSignal.any([claim.signal, over.signal]);
  const claimedAt = performance.now();
  let firstSound = false;
  /** What the gateway has for sure, and since when. */
  let pace: { readonly after?: FrameName | undefined; readonly at: number } | undefined;

  let away = false;
  const publish = (frame: ReturnType<typeof frames.add>) => {
    try {
      bus.publish(channels.out(device), frame, span.trace);
      away = false;
    } catch (error) {
      // It is kept: the gateway misses it and asks again.
      if (!(error instanceof BusAwayError)) throw error;
      if (!away) onTrouble("frames cannot be sent", error);
      away = true;
    }
  };

  const replay = (after: FrameName | undefined) => {
    pace = { after, at: performance.now() };
    for (const frame of frames.after(after)) publish(frame);
  };

  const onControl = (control: InControl, seq: number, from: string) => {
    if (control.type === "resend" && control.reply === reply) replay(control.after);
    else if (isOver(control, { seq, mine: from === session, origin, reply })) over.abort(new Error(control.type));
  };

  const waitForPace = async () => {
    pace ??= { at: performance.now() };
    // In steps, since a replay moves the clock.
    for (;;) {
      const ahead = frames.durationMs - frames.position(pace.after) - (performance.now() - pace.at);
      if (ahead < aheadMs) return;
      await delay(Math.min(tickMs, ahead - aheadMs + 1), undefined, { signal });
    }
  };

  const send = (content: FrameBody, place: FramePlace) => publish(frames.add(content, place));

  const sendSentence = async (say: Say, packets: AsyncIterable<SpokenPacket>) => {
    const { sentence, text, emotion } = say;
    const end = say.last ? "reply" : "sentence";
    if (sentence === opening.sentence || emotion) {
      send({ kind: "text", body: { type: "llm", emotion: emotion ?? "neutral" } }, { sentence });
    }
    if (text) {
      const subtitle = text.slice(0, longestSubtitle);
      send({ kind: "text", body: { type: "tts", state: "sentence_start", text: subtitle } }, { sentence });
    }
    span.sentence();
    let sounded = false;
    try {
      for await (const [{ body, repeatable, engine }, last] of withLast(packets)) {
        await waitForPace();
        send({ kind: "audio", duration: packetMs, body }, { sentence, repeatable, end: last ? end : undefined });
        sounded = sounded || last;
        if (firstSound) continue;
        firstSound = true;
        base.onFirstSound(performance.now() - claimedAt);
        span.firstSound(engine);
      }
    } catch (error) {
      signal.throwIfAborted();
      onTrouble("a sentence could not be spoken", error);
      const body = { type: "alert", status: "Sorry", message: "This could not be spoken.", emotion: "sad" } as const;
      send({ kind: "text", body }, { sentence });
    }
    if (!sounded) send({ kind: "control", body: { type: "end" } }, { sentence, end });
  };

  const sendReply = async () => {
    if (claim.final) {
      // Whatever it is in this reply that ends its workers is not looked at again.
      const sentence = pace?.after ? pace.after.sentence + 1 : 0;
      const say: Say = { ...opening, sentence, text: "", emotion: "sad", last: true };
      return sendSentence(say, speech.apologise(signal));
    }
    for await (const say of followSentences({ bus, device, opening }, signal)) {
      const request = {
        text: say.text,
        language: say.language ?? profile.language,
        voice: profile.voice,
        engine: profile.engines.tts,
      };
      await sendSentence(say, say.text ? speech.speak(request, signal) : nothing());
    }
  };

  // A gateway that lost a reply's frames asks for them, but not when it has none: then it does not know the reply.
  let knock: NodeJS.Timeout | undefined;
  const closers: Closer[] = [
    bus.onChange((connected) => {
      clearTimeout(knock);
      if (connected) knock = setTimeout(() => frames.after().slice(0, 1).forEach(publish), knockMs);
    }),
    { close: () => clearTimeout(knock) },
    bus.subscribe(channels.inControl(device), ({ body, seq, session }) => onControl(body, seq, session)),
    bus.subscribe(channels.event(device), ({ turn, session: from }) => {
      if (turn && (turn.reply === reply || (turn.origin !== undefined && turn.origin === origin && from === session))) {
        over.abort(new Error("played"));
      }
    }),
  ];
  try {
    // What happened before this claim: a fence, or what the gateway still waits for from the worker before.
    const before = bus.lastStored(channels.inControl(device), signal).then(
      (last) => last && onControl(last.message.body, last.message.seq, last.message.session),
      (error: unknown) => signal.aborted || onTrouble("what happened before is not known", error),
    );
    if (claim.attempt > 1) await before;
    await Promise.all([before, sendReply()]);
    await delay(frames.durationMs + afterwardsMs, undefined, { signal });
    onTrouble("the gateway never said how a reply ended", undefined);
    span.end("no word of the gateway");
  } catch (error) {
    if (!over.signal.aborted || claim.signal.aborted) {
      span.end("lost", error);
      throw error;
    }
    span.end((over.signal.reason as Error).message);
  } finally {
    for (const closer of closers) closer.close();
  }
}

/** Whether a control frame ends a reply: its session's end, an abort or fence that it was caused before, or its own fence. */
function isOver(
  control: InControl,
  about: { seq: number; mine: boolean; origin: number | undefined; reply: string },
): boolean {
  const { seq, mine, origin, reply } = about;
  if (control.type === "fence" && control.reply === reply) return true;
  if (!mine) return false;
  if (control.type === "closed") return true;
  if (origin === undefined) return false;
  return (control.type === "fence" && control.fence >= origin) || (control.type === "abort" && seq >= origin);
}

async function* withLast<Value>(values: AsyncIterable<Value>): AsyncGenerator<readonly [value: Value, last: boolean]> {
  let held: { readonly value: Value } | undefined;
  for await (const value of values) {
    if (held) yield [held.value, false];
    held = { value };
  }
  if (held) yield [held.value, true];
}

async function* nothing(): AsyncGenerator<never> {
  // An end mark has no sound.
}
