import { setTimeout as delay } from "node:timers/promises";
import { BusAwayError, type Bus, type Trace } from "@voxbus/bus";
import { channels, type FrameName, type Outbound } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { readClock } from "@voxbus/workers";
import type { SoundDeadline } from "./encode-worker.ts";
import { packetMs } from "./speech-encoder.ts";
import { createReplyFrames, type FrameBody, type FramePlace, type ReplyName } from "./reply-frames.ts";

/** The way of a reply's frames to the gateway. Every frame is kept, to be sent again on request. */
export interface ReplyOutput {
  /** Names, keeps and publishes the next frame. */
  send(content: FrameBody, place: FramePlace): void;
  /** Publishes every frame behind `after` again, or all frames. The gateway has the frames up to there. */
  resend(after: FrameName | undefined): void;
  /** Publishes the first frame again, for a gateway that does not know the reply. */
  resendFirst(): void;
  /** Waits until the frames are at most 10 s ahead of play-out. Throws the signal's reason. */
  waitForPace(signal: AbortSignal): Promise<void>;
  /** Returns the deadline of the next packets of a sentence: the end of the sound before them. */
  deadline(sentence: number): SoundDeadline;
  /** The last frame that the gateway has for sure, by its latest request. */
  readonly accepted: FrameName | undefined;
  /** The sound so far (ms). */
  readonly durationMs: number;
}

const aheadMs = 10_000;
const tickMs = 250;

/** Creates the output of a reply to a device. */
export function createReplyOutput(options: {
  readonly bus: Bus;
  readonly log: Pick<Log, "warn">;
  readonly device: string;
  readonly name: ReplyName;
  readonly trace: Trace;
}): ReplyOutput {
  const { bus, log, device, name, trace } = options;
  const frames = createReplyFrames(name);
  /** The frame up to which the gateway has the reply, and the time when it said so. */
  let pace: { readonly after?: FrameName | undefined; readonly at: number } | undefined;
  /** The time at which the listener has played everything that was sent (`readClock`). */
  let dryAt = -Infinity;
  let away = false;

  /** Tells how much of the sound the gateway did not have by its latest request (ms). */
  function measureUnheard(): number {
    return frames.durationMs - frames.position(pace?.after);
  }
  function publish(frame: Outbound) {
    try {
      bus.publish(channels.out(device), frame, trace);
      away = false;
    } catch (err) {
      // The gateway will miss the frame and ask for it.
      if (!(err instanceof BusAwayError)) throw err;
      const { session, origin: turn, reply } = name;
      if (!away) log.warn({ err, device, session, turn, reply }, "publish failed, frames kept");
      away = true;
    }
  }

  return {
    send(content, place) {
      publish(frames.add(content, place));
      if (content.kind === "audio" && measureUnheard() > 0) dryAt = Math.max(dryAt, readClock()) + content.duration;
    },
    resend(after) {
      pace = { after, at: performance.now() };
      dryAt = readClock() + measureUnheard();
      for (const frame of frames.after(after)) publish(frame);
    },
    resendFirst() {
      for (const frame of frames.after().slice(0, 1)) publish(frame);
    },
    async waitForPace(signal) {
      pace ??= { at: performance.now() };
      // In steps, because a resend changes the pace.
      for (;;) {
        const ahead = measureUnheard() - (performance.now() - pace.at);
        if (ahead < aheadMs) return;
        await delay(Math.min(tickMs, ahead - aheadMs + 1), undefined, { signal });
      }
    },
    deadline(sentence) {
      const after = pace?.after;
      const due = Math.max(dryAt, readClock());
      if (after === undefined || sentence > after.sentence) return { due, heardMs: 0 };
      if (sentence < after.sentence) return { due, heardMs: Infinity };
      return { due, heardMs: Math.max(0, after.n + 1 - frames.count(sentence)) * packetMs };
    },
    get accepted() {
      return pace?.after;
    },
    get durationMs() {
      return frames.durationMs;
    },
  };
}
