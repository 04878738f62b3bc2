import { maxDeviceTextBytes, type DropReason, type OutText, type Profile, type TurnPlayed } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { createAnnouncements } from "./announcements.ts";
import { PlayoutBuffer, type ReplyFrame } from "./buffer.ts";
import type { PlayoutDeps } from "./playout-deps.ts";
import { Watchdog, type Work } from "./watchdog.ts";

/** Dependencies of shown replies. */
export interface ShownRepliesDeps extends Pick<PlayoutDeps, "uplink" | "clock" | "refuseFrame"> {
  readonly memory: MemoryBudget;
  readonly drops: Record<DropReason, number>;
  readonly turns: { ended(turn: TurnPlayed): void };
  readonly profile: () => Pick<Profile, "deadlineMs" | "dryMs" | "notify">;
  /** Shows an announcement to the device. */
  show(shown: ShownReply): void;
}

/** An announcement as a device without an audio channel gets it. */
export interface ShownReply {
  readonly reply: string;
  readonly alert: Extract<OutText, { readonly type: "alert" }>;
  /** Its sound, if the profile says that the device fetches it. */
  readonly packets: readonly Uint8Array[];
}

interface Collected {
  readonly buffer: PlayoutBuffer;
  readonly sentences: string[];
  readonly packets: Uint8Array[];
  emotion: string;
}

/** The most bytes of an alert's text. The rest of the message takes less than what is left. */
const mostBytes = maxDeviceTextBytes - 512;

/**
 * Collects the announcements for a device without an audio channel, and shows each as one text. Such a device cannot speak:
 * told to, it would turn its microphone on.
 */
export class ShownReplies {
  readonly #deps: ShownRepliesDeps;
  readonly #watchdog: Watchdog;
  readonly #announcements = createAnnouncements();
  readonly #open = new Map<string, Collected>();

  constructor(deps: ShownRepliesDeps) {
    this.#deps = deps;
    this.#watchdog = new Watchdog(deps.uplink, deps.profile);
  }

  /** Tells whether a reply is an announcement that is shown, or was. It is so even if the channel opens meanwhile. */
  knows(reply: string): boolean {
    return this.#announcements.knows(reply);
  }

  /** Takes a frame of an announcement. */
  frame(frame: ReplyFrame): void {
    const { clock, drops, memory, uplink } = this.#deps;
    const now = clock.now();
    const rank = this.#announcements.rank(frame.reply, uplink.seq);
    if (rank === undefined) return void (drops.fenced += 1);
    let shown = this.#open.get(frame.reply);
    if (!shown) {
      if (this.#open.size >= fixedLimits.queuedReplies) return void (drops["reply-full"] += 1);
      const buffer = new PlayoutBuffer({ id: frame.reply, origin: undefined, rank }, now, memory);
      shown = { buffer, sentences: [], packets: [], emotion: "neutral" };
      this.#open.set(frame.reply, shown);
    }
    const { buffer } = shown;
    const verdict = buffer.accept(frame, now);
    if (verdict === "stale-attempt") this.#deps.refuseFrame(verdict);
    else if (verdict !== "taken") drops[verdict] += 1;
    if (verdict === "out-of-order" || verdict === "reply-full") this.#watchdog.requestResend(buffer, now);
    this.#take(shown);
  }

  /** Takes over an announcement that waited to be spoken when the conversation ended. */
  adopt(buffer: PlayoutBuffer): void {
    this.#announcements.rank(buffer.id, this.#deps.uplink.seq);
    const shown = { buffer, sentences: [], packets: [], emotion: "neutral" };
    this.#open.set(buffer.id, shown);
    this.#take(shown);
  }

  /** A program works on an announcement. */
  working(work: Work): void {
    const buffers = [...this.#open.values()].map(({ buffer }) => buffer);
    this.#watchdog.sign(work, buffers, this.#deps.clock.now());
  }

  /** Asks for frames that are missing, and shows what there is of an announcement that broke off; called now and then. */
  check(): void {
    const now = this.#deps.clock.now();
    for (const shown of this.#open.values())
      if (this.#watchdog.check(shown.buffer, 0, now) === "starved") this.#show(shown);
  }

  /** The session has ended: what is not complete is reported as closed. */
  close(): void {
    for (const { buffer } of this.#open.values()) this.#deps.turns.ended(buffer.report("closed", 0, undefined));
    this.#open.clear();
  }

  /** Collects the frames that were accepted, and shows an announcement that is complete. */
  #take(shown: Collected): void {
    this.#collect(shown);
    if (shown.buffer.complete) this.#show(shown);
  }

  #collect(shown: Collected): void {
    const { buffer, sentences, packets } = shown;
    const { notify } = this.#deps.profile();
    for (let frame = buffer.peek(); frame; frame = buffer.peek()) {
      if (frame.kind === "audio") {
        // A packet is a view of all that arrived from NATS together.
        if (notify && packets.length < fixedLimits.soundPackets) packets.push(frame.body.slice());
      } else if (frame.kind === "text") {
        const { body } = frame;
        if (body.type === "tts" && body.state === "sentence_start" && body.text) sentences.push(body.text);
        if (body.type === "llm") shown.emotion = body.emotion;
      }
      buffer.heard = frame.sentence;
      buffer.played = [frame.sentence, frame.n];
      buffer.shift();
    }
  }

  #show({ buffer, sentences, packets, emotion }: Collected): void {
    this.#open.delete(buffer.id);
    this.#announcements.end(buffer.id);
    const message = shorten(sentences.join(" "));
    if (message !== "")
      this.#deps.show({ reply: buffer.id, alert: { type: "alert", status: "Message", message, emotion }, packets });
    this.#deps.turns.ended(buffer.report("no-channel", 0, undefined));
  }
}

/** Cuts a text to what fits into a message for a device, as JSON. */
function shorten(text: string): string {
  let short = text;
  while (Buffer.byteLength(JSON.stringify(short)) > mostBytes) short = `${short.slice(0, (short.length * 7) / 8)}…`;
  return short.toWellFormed();
}
