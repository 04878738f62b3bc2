import { setTimeout as delay } from "node:timers/promises";
import type { OpusEncoder, OpusSampleRate } from "@voxbus/audio";
import { BusAwayError, type Bus, type Closer } from "@voxbus/bus";
import { channels, packetDuration, parseDeviceId } from "@voxbus/protocol";
import { FencedError } from "./fences.ts";
import type { FenceWatch } from "./fence-watch.ts";
import type { About, Send } from "./send.ts";

/** A device's speaker for live sound. Close it, or end it. */
export interface Speaker extends Closer {
  /**
   * Aborts with FencedError when the sound is useless: the user wants silence, the session was closed or, with `origin`, the fence
   * has reached its turn. Then nothing more is sent.
   */
  readonly signal: AbortSignal;
  /**
   * Sends an Opus packet at its time, at most 120 ms before it is to be played. Resolves when it is sent, with false if the sound
   * is useless. Packets that NATS does not take are dropped (`bus-away`). Throws RangeError if 250 packets wait already.
   */
  write(packet: Uint8Array): Promise<boolean>;
  /** The same for mono samples at the speaker's `sampleRate`. They are encoded in packets of 60 ms; the rest waits for more. */
  writeSamples(samples: Int16Array): Promise<boolean>;
  /** Sends the rest, and resolves when everything has been played. Closes the speaker. */
  end(): Promise<boolean>;
}

/** How a speaker is opened: for which session and turn, and the rate of its samples in Hz (24,000 by default). */
export interface SpeakerOptions extends About {
  readonly sampleRate?: OpusSampleRate;
}

/** Opens a device's speaker. Throws `bad-id` for an invalid device id. */
export type OpenSpeaker = (device: string, options?: SpeakerOptions) => Speaker;

/** Packets are sent this long before they are to be played, ms. */
const leadMs = 120;
const mostWaiting = 250;
const packetMs = 60;

/** Dependencies of speakers. */
interface SpeakerDeps {
  readonly bus: Pick<Bus, "subscribe" | "drop">;
  readonly send: Pick<Send, "audio">;
  readonly fences: FenceWatch;
}

/** Creates `speaker` for a connection. */
export function createOpenSpeaker(deps: SpeakerDeps): OpenSpeaker {
  return (device, options = {}) => new LiveSpeaker(deps, parseDeviceId(device), options);
}

/** The live sound for one device. */
class LiveSpeaker implements Speaker {
  readonly signal: AbortSignal;
  readonly #deps: SpeakerDeps;
  readonly #device: string;
  readonly #about: About;
  readonly #sampleRate: OpusSampleRate;
  readonly #ended = new AbortController();
  readonly #closers: Closer[] = [];
  /** When all that was sent will have been played (`performance.now()`, ms). */
  #until = -Infinity;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #encoder: Promise<OpusEncoder> | undefined;
  #rest = new Int16Array();
  /** The samples of a packet. */
  readonly #size: number;

  constructor(deps: SpeakerDeps, device: string, { session, origin, sampleRate = 24_000 }: SpeakerOptions) {
    this.#deps = deps;
    this.#device = device;
    this.#about = { ...(session !== undefined && { session }), ...(origin !== undefined && { origin }) };
    this.#sampleRate = sampleRate;
    this.#size = (sampleRate * packetMs) / 1000;
    const controls = deps.bus.subscribe(channels.inControl(device), (frame) => {
      if (session !== undefined && frame.session !== session) return;
      if (frame.body.type === "abort" || frame.body.type === "closed")
        this.#ended.abort(new FencedError(`the sound for ${device} was ended: ${frame.body.type}`));
    });
    this.#closers.push(controls);
    const signals = [this.#ended.signal];
    if (session !== undefined && origin !== undefined) {
      const watch = deps.fences.covering(device).watch({ session, origin });
      this.#closers.push(watch);
      signals.push(watch.signal);
    }
    this.signal = AbortSignal.any(signals);
    this.signal.addEventListener("abort", () => this.close(), { once: true });
    if (this.signal.aborted) this.close();
  }

  async write(packet: Uint8Array): Promise<boolean> {
    return this.#queue(() => this.#send(packet));
  }

  async writeSamples(samples: Int16Array): Promise<boolean> {
    return this.#queue(() => this.#encode(samples));
  }

  async end(): Promise<boolean> {
    await this.#queue(() => this.#encode(new Int16Array(this.#rest.length > 0 ? this.#size - this.#rest.length : 0)));
    const isWhole = await this.#waitUntil(this.#until);
    this.close();
    return isWhole;
  }

  close(): void {
    for (const closer of this.#closers.splice(0)) closer.close();
    if (!this.#ended.signal.aborted) this.#ended.abort(new Error("the speaker is closed"));
    void this.#encoder?.then((encoder) => encoder.close());
    this.#encoder = undefined;
  }

  /** Runs what is written one after the other. */
  async #queue(work: () => Promise<boolean>): Promise<boolean> {
    if (this.#waiting >= mostWaiting)
      throw new RangeError(`${mostWaiting} packets wait to be sent already; await each write`);
    this.#waiting += 1;
    const done = this.#last.then(work).finally(() => (this.#waiting -= 1));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #encode(samples: Int16Array): Promise<boolean> {
    if (this.signal.aborted) return false;
    const all = new Int16Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    const whole = all.length - (all.length % this.#size);
    this.#rest = all.slice(whole);
    if (whole === 0) return true;
    const encoder = await (this.#encoder ??= this.#createEncoder());
    for (let at = 0; at < whole; at += this.#size) {
      if (this.signal.aborted || !(await this.#send(encoder.encode(all.subarray(at, at + this.#size))))) return false;
    }
    return true;
  }

  async #send(packet: Uint8Array): Promise<boolean> {
    if (!(await this.#waitUntil(this.#until - leadMs))) return false;
    this.#until = Math.max(this.#until, performance.now()) + packetDuration(packet);
    try {
      this.#deps.send.audio(this.#device, packet, this.#about);
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      this.#deps.bus.drop(channels.out(this.#device).subject, "bus-away");
    }
    return true;
  }

  /** Resolves with false as soon as the signal aborts. */
  async #waitUntil(time: number): Promise<boolean> {
    const ms = time - performance.now();
    if (ms > 0) await delay(ms, undefined, { signal: this.signal }).catch(() => undefined);
    return !this.signal.aborted;
  }

  async #createEncoder(): Promise<OpusEncoder> {
    // Most programs encode nothing.
    const { createOpusEncoder } = await import("@voxbus/audio");
    return createOpusEncoder({ sampleRate: this.#sampleRate });
  }
}
