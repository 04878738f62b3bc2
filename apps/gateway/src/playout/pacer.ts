import type { Profile } from "@voxbus/protocol";
import type { PlayoutBuffer } from "./buffer.ts";
import type { Downlink } from "./downlink.ts";
import type { Watchdog } from "./watchdog.ts";

/** Time after the last sound before `tts` `stop`, ms: older firmware cuts sound that is still queued. */
export const stopMarginMs = 180;
/** Time until a device that takes in no sound is asked again, ms. */
export const retryMs = 20;

/** Sends a reply's frames, each at its time on an absolute clock. All times in ms. */
export class Pacer {
  readonly #downlink: Downlink;
  readonly #watchdog: Watchdog;
  readonly #profile: () => Pick<Profile, "lead" | "startGapMs">;
  #soundFrom = 0;
  /** When the sound that was sent will have been played; 0 before the first sound of a reply. */
  #soundEnd = 0;
  /** When the frame that waits is due. */
  #dueAt = 0;
  /** When the sound that goes on without a gap began. */
  #soundBegan = Infinity;
  /** When a pause ends at the latest; 0 while none lasts. */
  #pausedUntil = 0;
  #turnBegan = 0;
  #firstAudio: number | undefined;

  constructor(downlink: Downlink, watchdog: Watchdog, profile: () => Pick<Profile, "lead" | "startGapMs">) {
    this.#downlink = downlink;
    this.#watchdog = watchdog;
    this.#profile = profile;
  }

  /** The time from the turn's beginning to its first sound, or undefined before that. */
  get firstAudio(): number | undefined {
    return this.#firstAudio;
  }

  /** A turn begins, or an announcement. */
  beginTurn(now: number): void {
    this.#turnBegan = now;
    this.#firstAudio = undefined;
  }

  /** The device was told to speak. It drops audio until it does (docs/protocol.md, turn sequencing). */
  beginSpeaking(now: number): void {
    this.#soundFrom = now + this.#profile().startGapMs;
  }

  /** Another reply begins to play. */
  beginReply(): void {
    this.#soundEnd = 0;
    this.#pausedUntil = 0;
  }

  /** Tells whether the device has been sounding without a gap for `ms` or longer. */
  soundsFor(ms: number, now: number): boolean {
    return now < this.#soundEnd && now >= this.#soundBegan + ms;
  }

  /** Sends no frame until `until`, or until `resume`. Frames that the device has already are played. */
  pause(until: number): void {
    this.#pausedUntil = until;
  }

  /** Ends a pause, as if the sound had ended now. */
  resume(now: number): void {
    if (this.#pausedUntil === 0) return;
    this.#pausedUntil = 0;
    this.#soundEnd = Math.max(this.#soundEnd, now);
    this.#soundBegan = now;
  }

  /** Sends the frames that are due. Gives the time of the next call, or the event that ends the reply. */
  play(reply: PlayoutBuffer, now: number): number | "drained" | "starved" {
    const isSent = reply.complete && !reply.peek();
    if (now < this.#pausedUntil && !isSent) return this.#pausedUntil;
    this.resume(now);
    const { lead } = this.#profile();
    for (let frame = reply.peek(); frame; frame = reply.peek()) {
      if (frame.kind === "audio") {
        const due = Math.max(this.#soundFrom, this.#soundEnd - lead * frame.duration);
        if (now < due) return (this.#dueAt = due);
        if (!this.#downlink.writable()) return now + retryMs;
        // An underrun starts the clock anew. Catching up in a burst would overrun small devices.
        if (this.#soundEnd > 0 && this.#soundEnd < now) reply.late += 1;
        if (this.#soundEnd < now) this.#soundBegan = now;
        this.#soundEnd = Math.max(this.#soundEnd, now) + frame.duration;
        if (!reply.isNotice) this.#firstAudio ??= now - this.#turnBegan;
        // Only a frame that waited for its time can be late by our doing.
        reply.heard = frame.sentence;
        this.#downlink.writeAudio(frame.body, this.#dueAt === due ? now - due : 0);
      } else if (frame.kind === "text") this.#downlink.writeText(frame.body);
      reply.played = [frame.sentence, frame.n];
      reply.shift();
    }
    if (!reply.complete) return this.#watchdog.check(reply, this.#soundEnd, now);
    const over = this.#soundEnd > 0 ? this.#soundEnd + stopMarginMs : now;
    return now < over ? over : "drained";
  }
}
