import { BusAwayError, type Bus } from "@voxbus/bus";
import {
  channels,
  decodeEnvelope,
  encodeEnvelope,
  type Channel,
  type DropReason,
  type InAudio,
  type InControl,
  type InControlFrame,
  type InText,
} from "@voxbus/protocol";
import type { z } from "zod";
import { KeptFrames } from "./replay-buffer.ts";
import type { Held } from "../limits.ts";
import type { TraceHeaders } from "../observe/turn-traces.ts";

/** Audio frames that wait while NATS is away; the newest stay. */
export const maxAwayAudio = 100;
/** Typed texts that wait while NATS is away. */
export const maxAwayText = 32;
/** Control frames that wait while NATS is away; more than that closes the session. */
export const maxAwayControl = 256;

type Body =
  | Pick<InAudio, "kind" | "body">
  | Pick<InText, "kind" | "body">
  | { readonly kind: "control"; readonly body: InControl };

interface Waiting {
  readonly frame: Body;
  readonly at: number;
  readonly published: ((seq: number) => void) | undefined;
  readonly trace: TraceHeaders | undefined;
}

/** What the uplink tells its session. */
export interface UplinkEffects {
  drop(reason: DropReason): void;
  /** More control frames wait than may. */
  overflow(): void;
}

/**
 * One session's way to the bus: numbers what is published, keeps it for replay as long as the socket lives, and holds
 * control and text while NATS is away, with the newest audio; what grew old there is named by one `gap`.
 */
export class Uplink {
  readonly #bus: Bus;
  readonly #device: string;
  readonly #session: string;
  readonly #effects: UplinkEffects;
  readonly #kept: KeptFrames;
  readonly #audio: ReturnType<typeof channels.inAudio>;
  #seq = 0;
  #waiting: Waiting[] | undefined;
  #gap: { frames: number; from: number; to: number } | undefined;
  #closed = false;

  constructor(bus: Bus, device: string, session: string, held: Held, effects: UplinkEffects) {
    this.#bus = bus;
    this.#device = device;
    this.#audio = channels.inAudio(device);
    this.#session = session;
    this.#effects = effects;
    this.#kept = new KeptFrames(held);
  }

  /** The newest published seq; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /** True while frames wait for NATS. */
  get away(): boolean {
    return this.#waiting !== undefined;
  }

  /** How many do. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  /**
   * Publishes a frame, or lets it wait while NATS is away. `published` is called with its seq when it leaves: at once,
   * as a rule. `trace` travels with control and text.
   */
  send(frame: Body, published?: (seq: number) => void, trace?: TraceHeaders): void {
    const at = Date.now();
    if (this.#waiting || !this.#bus.connected()) this.#hold({ frame, at, published, trace });
    else this.#publish(frame, at, published, trace);
  }

  #hold(item: Waiting): void {
    const waiting = (this.#waiting ??= []);
    const { kind } = item.frame;
    const alike = waiting.filter(({ frame }) => frame.kind === kind).length;
    if (kind === "text" && alike >= maxAwayText) return this.#effects.drop("bus-full");
    if (kind === "control" && alike >= maxAwayControl) return this.#effects.overflow();
    if (kind === "audio" && alike >= maxAwayAudio) {
      const [oldest] = waiting.splice(
        waiting.findIndex(({ frame }) => frame.kind === "audio"),
        1,
      );
      this.#effects.drop("bus-away");
      const at = oldest?.at ?? item.at;
      this.#gap = { frames: (this.#gap?.frames ?? 0) + 1, from: this.#gap?.from ?? at, to: at };
    }
    waiting.push(item);
  }

  /** NATS is back: sends what waited, in order, after naming what was lost. */
  resume(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    const gap = this.#gap;
    this.#gap = undefined;
    if (gap) this.#publish({ kind: "control", body: { type: "gap", ...gap, reason: "bus-away" } }, Date.now());
    for (const item of waiting) {
      if (this.#waiting) this.#hold(item);
      else this.#publish(item.frame, item.at, item.published, item.trace);
    }
  }

  #publish(frame: Body, at: number, published?: (seq: number) => void, trace?: TraceHeaders): void {
    const seq = this.#seq + 1;
    const place = { session: this.#session, seq, at };
    let data: Uint8Array;
    if (frame.kind === "audio") {
      const audio = encodeEnvelope(this.#audio.schema, { ...place, ...frame });
      try {
        this.#bus.publish(this.#audio, audio);
      } catch (error) {
        if (!(error instanceof BusAwayError)) throw error;
        return this.#hold({ frame, at, published, trace });
      }
      data = audio;
    } else if (frame.kind === "text") data = this.#store(channels.inText(this.#device), { ...place, ...frame }, trace);
    else {
      const channel = frame.body.type === "listen" ? channels.inControlOpen : channels.inControl;
      data = this.#store(channel(this.#device), { ...place, ...frame }, trace);
    }
    this.#seq = seq;
    if (!this.#kept.keep(seq, at, data)) this.#effects.drop("overloaded");
    published?.(seq);
  }

  /** Control and text are kept until the stream has them, however long that takes; stored once by their id. */
  #store<S extends typeof InText | typeof InControlFrame>(
    channel: Channel<S, "DEVICE_IN">,
    envelope: z.input<S>,
    trace: TraceHeaders | undefined,
  ): Uint8Array {
    const data = encodeEnvelope(channel.schema, envelope);
    const options = { id: `${envelope.session}:${envelope.seq}`, ...(trace ? { trace } : {}) };
    const attempt = (): Promise<unknown> =>
      this.#bus.store(channel, data, options).catch((error: unknown) => {
        if (error instanceof BusAwayError && !this.#closed) return attempt();
        this.#effects.drop("bus-full");
        return undefined;
      });
    void attempt();
    return data;
  }

  /** Forgets what is too old for a replay; called now and then. */
  prune(now: number): void {
    this.#kept.prune(now);
  }

  /** Published frames `from` to `to`, both included, that are still kept. */
  replay(from: number, to: number): Uint8Array[] {
    return this.#kept.read(from, to);
  }

  /** When a frame was published, ms since the epoch; undefined once it is forgotten. */
  publishedAt(seq: number): number | undefined {
    const [frame] = this.#kept.read(seq, seq);
    return frame && decodeEnvelope(channels.inbound.schema, frame).at;
  }

  /** The socket is gone: nothing waits any longer, and what was published is forgotten. */
  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
    this.#kept.clear();
  }
}
