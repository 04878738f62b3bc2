import { BusAwayError, type Bus, type Trace } from "@voxbus/bus";
import {
  channels,
  decodeEnvelope,
  encodeEnvelope,
  type Channel,
  type InAudio,
  type InControl,
  type InControlFrame,
  type InText,
} from "@voxbus/protocol";
import type { z } from "zod";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Counters } from "../observe/counters.ts";
import { ReplayBuffer } from "./replay-buffer.ts";

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
}

/**
 * One session's way to the bus. It numbers each frame, publishes it, and keeps it for replay while the socket lives.
 * While NATS is away, control and text wait, and so does the newest audio. One `gap` names the audio that was dropped.
 */
export class Uplink {
  readonly #bus: Bus;
  readonly #device: string;
  readonly #session: string;
  readonly #audio: ReturnType<typeof channels.inAudio>;
  readonly #drops: Counters["drops"];
  readonly #replay: ReplayBuffer;
  #seq = 0;
  #waiting: Waiting[] | undefined;
  #gap: { frames: number; from: number; to: number } | undefined;
  #overflowed = false;
  #closed = false;

  constructor(
    { bus, memory, drops }: { readonly bus: Bus; readonly memory: MemoryBudget; readonly drops: Counters["drops"] },
    device: string,
    session: string,
  ) {
    this.#bus = bus;
    this.#device = device;
    this.#session = session;
    this.#audio = channels.inAudio(device);
    this.#drops = drops;
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

  /** True once more control frames waited than the limit allows: the session can no longer be published whole. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /**
   * Publishes a frame and returns its seq, or undefined while NATS is away: the frame then waits, and `resume` gives its
   * seq if it has a mark. `trace` travels with control and text. A closed uplink publishes nothing more: stock devices go
   * on sending after a Close frame.
   */
  send(frame: UplinkFrame, mark?: TurnMark, trace?: Trace): number | undefined {
    if (this.#closed) return undefined;
    const at = Date.now();
    const seq = this.#waiting || !this.#bus.connected() ? undefined : this.#publish(frame, at, trace);
    if (seq === undefined) this.#wait({ frame, at, mark, trace });
    return seq;
  }

  #wait(item: Waiting): void {
    const waiting = (this.#waiting ??= []);
    const { kind } = item.frame;
    const alike = waiting.filter(({ frame }) => frame.kind === kind).length;
    if (kind === "text" && alike >= fixedLimits.waitingTexts) {
      this.#drops["bus-full"] += 1;
      return;
    }
    if (kind === "control" && alike >= fixedLimits.waitingControls) {
      this.#overflowed = true;
      return;
    }
    if (kind === "audio" && alike >= fixedLimits.waitingAudio) {
      const [oldest] = waiting.splice(
        waiting.findIndex(({ frame }) => frame.kind === "audio"),
        1,
      );
      this.#drops["bus-away"] += 1;
      const at = oldest?.at ?? item.at;
      this.#gap = { frames: (this.#gap?.frames ?? 0) + 1, from: this.#gap?.from ?? at, to: at };
    }
    waiting.push(item);
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
      const seq = this.#waiting ? undefined : this.#publish(frame, at, trace);
      if (seq === undefined) this.#wait(item);
      else if (mark) late.push({ frame, mark, seq });
    }
    return late;
  }

  /** Returns the frame's seq, or undefined if NATS is away. */
  #publish(frame: UplinkFrame, at: number, trace: Trace | undefined): number | undefined {
    const seq = this.#seq + 1;
    const place = { session: this.#session, seq, at };
    let data: Uint8Array;
    if (frame.kind === "audio") {
      // This runs for every packet, and a spread costs microseconds.
      const { kind, body } = frame;
      const audio = encodeEnvelope(this.#audio.schema, { session: this.#session, seq, at, kind, body });
      try {
        this.#bus.publish(this.#audio, audio);
      } catch (error) {
        if (!(error instanceof BusAwayError)) throw error;
        return undefined;
      }
      data = audio;
    } else if (frame.kind === "text") data = this.#store(channels.inText(this.#device), { ...place, ...frame }, trace);
    else {
      const channel = frame.body.type === "listen" ? channels.inControlOpen : channels.inControl;
      data = this.#store(channel(this.#device), { ...place, ...frame }, trace);
    }
    this.#seq = seq;
    if (!this.#replay.keep(seq, at, data)) this.#drops.overloaded += 1;
    return seq;
  }

  /** Stores control or text, once by its id. Tries until the stream has it, however long that takes. */
  #store<S extends typeof InText | typeof InControlFrame>(
    channel: Channel<S, "DEVICE_IN">,
    envelope: z.input<S>,
    trace: Trace | undefined,
  ): Uint8Array {
    const data = encodeEnvelope(channel.schema, envelope);
    const options = { id: `${envelope.session}:${envelope.seq}`, ...(trace ? { trace } : {}) };
    const attempt = (): Promise<unknown> =>
      this.#bus.store(channel, data, options).catch((error: unknown) => {
        if (error instanceof BusAwayError && !this.#closed) return attempt();
        this.#drops["bus-full"] += 1;
        return undefined;
      });
    void attempt();
    return data;
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

  /** Forgets what waits and what was published: the socket is gone. */
  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
    this.#replay.clear();
  }
}
