import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, type Bus, type Trace } from "@voxbus/bus";
import {
  channels,
  createInAudioWriter,
  decodeEnvelope,
  encodeEnvelope,
  type Channel,
  type InAudio,
  type InAudioWriter,
  type InControl,
  type InControlFrame,
  type InText,
} from "@voxbus/protocol";
import type { z } from "zod";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Counters } from "../observe/counters.ts";
import type { Failing } from "../playout/clock.ts";
import { ReplayBuffer } from "./replay-buffer.ts";

const { waitingAudio, waitingTexts, waitingControls } = fixedLimits;
const mostHeld = { audio: waitingAudio, text: waitingTexts, control: waitingControls } as const;
/** Estimates of the memory that a frame takes beside its bytes: while it waits, and while it is stored. */
const waitingOverhead = 256;
const storingOverhead = 2048;
/** Pause after 15 s without an acknowledgement, ms. */
const retryMs = 500;

/** A frame of the device before it has a seq. */
export type UplinkFrame =
  | Pick<InAudio, "kind" | "body">
  | Pick<InText, "kind" | "body">
  | { readonly kind: "control"; readonly body: InControl };

/** The effect of a frame on turns: it begins one, may have begun one, or ends all. */
export type TurnMark = "typed" | "stopped" | "aborted";

/** A frame with a mark that waited for NATS and now has its seq. */
export interface LatePublication {
  readonly frame: UplinkFrame;
  readonly mark: TurnMark;
  readonly seq: number;
}

interface Waiting {
  readonly frame: UplinkFrame;
  readonly at: number;
  readonly mark: TurnMark | undefined;
  readonly trace: Trace | undefined;
  readonly bytes: number;
}

/** Dependencies of an uplink. */
export interface UplinkDeps {
  readonly bus: Bus;
  readonly memory: MemoryBudget;
  readonly drops: Counters["drops"];
  /** Fails after an error. */
  readonly session: Failing;
}

/**
 * One session's way to the bus. It numbers each frame, publishes it, and keeps it for replay while the socket lives.
 * While NATS is away, control and text wait, and so does the newest audio. One `gap` names the audio that was dropped.
 * Frames that NATS has not taken yet are charged to the process's memory budget.
 */
export class Uplink {
  readonly #bus: Bus;
  readonly #device: string;
  readonly #session: string;
  readonly #drops: Counters["drops"];
  readonly #memory: MemoryBudget;
  readonly #owner: Failing;
  readonly #replay: ReplayBuffer;
  /** Made for the first audio: most sessions have none at most times. */
  #audio: { readonly channel: ReturnType<typeof channels.inAudio>; readonly write: InAudioWriter } | undefined;
  #seq = 0;
  #waiting: Waiting[] | undefined;
  #gap: { frames: number; from: number; to: number } | undefined;
  /** Frames that wait for NATS, or for its acknowledgement. */
  readonly #held = { audio: 0, text: 0, control: 0 };
  #overflowed = false;
  #closed = false;

  constructor({ bus, memory, drops, session: owner }: UplinkDeps, device: string, session: string) {
    this.#bus = bus;
    this.#device = device;
    this.#session = session;
    this.#drops = drops;
    this.#memory = memory;
    this.#owner = owner;
    this.#replay = new ReplayBuffer(memory);
  }

  /** The newest published seq; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /** The number of frames that wait for NATS. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  /** True once a control frame found no room to wait: the session can no longer be published whole. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /**
   * Publishes a frame and returns its seq. Returns undefined while NATS is away: the frame then waits, and `resume` gives
   * its seq if it has a mark. Returns undefined too if the frame finds no room and is dropped. `trace` travels with control
   * and text. A closed uplink publishes nothing more: stock devices go on sending after a Close frame.
   */
  send(frame: UplinkFrame, mark?: TurnMark, trace?: Trace): number | undefined {
    if (this.#closed) return undefined;
    const at = Date.now();
    const seq = this.#waiting || !this.#bus.connected() ? "away" : this.#publish(frame, at, trace);
    if (typeof seq === "number") return seq;
    if (seq === "away") this.#wait({ frame, at, mark, trace, bytes: this.#measure(frame) + waitingOverhead });
    return undefined;
  }

  #measure(frame: UplinkFrame): number {
    if (frame.kind === "audio") return frame.body.byteLength;
    if (frame.kind === "text") return Buffer.byteLength(frame.body);
    const place = { session: this.#session, seq: 0, at: 0 };
    return encodeEnvelope(channels.inControl.schema, { ...place, ...frame }).byteLength;
  }

  #wait(item: Waiting): void {
    const waiting = (this.#waiting ??= []);
    const { frame, bytes } = item;
    if (frame.kind === "audio" && this.#held.audio >= waitingAudio) {
      const [oldest] = waiting.splice(
        waiting.findIndex(({ frame }) => frame.kind === "audio"),
        1,
      );
      if (oldest) this.#forgetAudio(oldest);
    }
    if (this.#reserve(frame.kind, bytes)) waiting.push(item);
    else if (frame.kind === "audio") this.#miss(item);
  }

  #forgetAudio(item: Waiting): void {
    this.#release("audio", item.bytes);
    this.#miss(item);
  }

  /** Counts audio that is lost, and names it in the gap. */
  #miss({ at }: Waiting): void {
    this.#drops["bus-away"] += 1;
    this.#gap = { frames: (this.#gap?.frames ?? 0) + 1, from: this.#gap?.from ?? at, to: at };
  }

  /** Reserves room for a frame that NATS does not have yet. Returns false without any. */
  #reserve(kind: UplinkFrame["kind"], bytes: number): boolean {
    if (this.#held[kind] < mostHeld[kind] && this.#memory.take(bytes)) {
      this.#held[kind] += 1;
      return true;
    }
    if (kind !== "audio") this.#drops["bus-full"] += 1;
    if (kind === "control") this.#overflowed = true;
    return false;
  }

  #release(kind: UplinkFrame["kind"], bytes: number): void {
    this.#held[kind] -= 1;
    this.#memory.give(bytes);
  }

  /**
   * Publishes the frames that waited, in order, after the gap that names what was lost. Does nothing while NATS is away.
   * Returns those that have a mark.
   */
  resume(): readonly LatePublication[] {
    const waiting = this.#waiting;
    if (!waiting || !this.#bus.connected()) return [];
    this.#waiting = undefined;
    const gap = this.#gap;
    this.#gap = undefined;
    if (gap) {
      const body = { type: "gap" as const, ...gap, reason: "bus-away" as const };
      this.#publish({ kind: "control", body }, Date.now(), undefined);
    }
    const late: LatePublication[] = [];
    for (const item of waiting) {
      const { frame, at, mark, trace } = item;
      this.#release(frame.kind, item.bytes);
      const seq = this.#waiting ? "away" : this.#publish(frame, at, trace);
      if (seq === "away") this.#wait(item);
      else if (mark && seq !== "full") late.push({ frame, mark, seq });
    }
    return late;
  }

  /** Returns the frame's seq, or `away` if NATS is away, or `full` if the frame found no room and is dropped. */
  #publish(frame: UplinkFrame, at: number, trace: Trace | undefined): number | "away" | "full" {
    const seq = this.#seq + 1;
    const place = { session: this.#session, seq, at };
    let data: Uint8Array | undefined;
    if (frame.kind === "audio") {
      this.#audio ??= { channel: channels.inAudio(this.#device), write: createInAudioWriter(this.#session) };
      const audio = this.#audio.write(seq, at, frame.body);
      try {
        this.#bus.publish(this.#audio.channel, audio);
      } catch (error) {
        if (!(error instanceof BusAwayError)) throw error;
        return "away";
      }
      data = audio;
    } else if (frame.kind === "text") data = this.#store(channels.inText(this.#device), { ...place, ...frame }, trace);
    else {
      const channel = frame.body.type === "listen" ? channels.inControlOpen : channels.inControl;
      data = this.#store(channel(this.#device), { ...place, ...frame }, trace);
    }
    if (!data) return "full";
    this.#seq = seq;
    if (!this.#replay.keep(seq, at, data)) this.#drops.overloaded += 1;
    return seq;
  }

  /**
   * Stores control or text, once by its id. Tries until the stream has it, however long that takes. Returns undefined if
   * there is no room for it meanwhile.
   */
  #store<S extends typeof InText | typeof InControlFrame>(
    channel: Channel<S, "DEVICE_IN">,
    envelope: z.input<S>,
    trace: Trace | undefined,
  ): Uint8Array | undefined {
    const data = encodeEnvelope(channel.schema, envelope);
    const bytes = data.byteLength + storingOverhead;
    if (!this.#reserve(envelope.kind, bytes)) return undefined;
    const options = { id: `${envelope.session}:${envelope.seq}`, ...(trace ? { trace } : {}) };
    this.#storeSurely(() => this.#bus.store(channel, data, options))
      .catch((error: unknown) => {
        this.#drops["bus-full"] += 1;
        if (!(error instanceof BusAwayError)) this.#owner.fail(error);
      })
      .finally(() => this.#release(envelope.kind, bytes))
      .catch((error: unknown) => this.#owner.fail(error));
    return data;
  }

  /** Throws BusAwayError only after the end of the session. */
  async #storeSurely(store: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await store();
        return;
      } catch (error) {
        if (!(error instanceof BusAwayError) || this.#closed) throw error;
        await sleep(retryMs);
      }
    }
  }

  /** Forgets frames that are too old for a replay. `now` in ms since the epoch. */
  prune(now: number): void {
    this.#replay.prune(now);
  }

  /** Gives the published frames `from` to `to`, both included, that are still kept. */
  replay(from: number, to: number): Uint8Array[] {
    return this.#replay.read(from, to);
  }

  /** Gives the time at which a frame was published, ms since the epoch, or undefined once it is forgotten. */
  publishedAt(seq: number): number | undefined {
    const [frame] = this.#replay.read(seq, seq);
    return frame && decodeEnvelope(channels.inbound.schema, frame).at;
  }

  /** Forgets what was published. Returns the number of frames. */
  forget(): number {
    return this.#replay.clear();
  }

  /** Forgets what waits and what was published: the socket is gone. */
  close(): void {
    this.#closed = true;
    for (const { frame, bytes } of this.#waiting ?? []) this.#release(frame.kind, bytes);
    this.#waiting = undefined;
    this.#replay.clear();
  }
}
