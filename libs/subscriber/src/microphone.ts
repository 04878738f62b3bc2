import type { OpusDecoder, OpusSampleRate } from "@voxbus/audio";
import type { Bus, Closer } from "@voxbus/bus";
import { channels, parseDeviceId, type InAudio } from "@voxbus/protocol";
import { checkInteger } from "./handler-queue.ts";

/** A stretch of sound as mono samples. */
export interface Samples extends Pick<InAudio, "session" | "seq" | "at"> {
  readonly samples: Int16Array;
  /** In Hz. */
  readonly sampleRate: OpusSampleRate;
}

/** Limits of a microphone. */
export interface MicrophoneLimits {
  /** The most packets that wait to be read; default 250, 15 s of usual packets. The oldest is dropped then (`queue-full`). */
  readonly waiting?: number;
}

/**
 * Gives the live sound of a device's microphone, inside and outside of listens, over all its sessions. It begins with the call and
 * ends when the loop is left or the signal aborts. Sound is at most once, and missing packets are not concealed. Throws `bad-id`
 * for an invalid device id, RangeError for an invalid limit.
 */
export interface OpenMicrophone {
  /** Gives each Opus packet. */
  opus(device: string, limits?: MicrophoneLimits, signal?: AbortSignal): AsyncIterableIterator<InAudio>;
  /** Gives the decoded packets at `sampleRate`, 16,000 Hz by default. An invalid one is dropped (`bad-packet`). */
  pcm(
    device: string,
    options?: MicrophoneLimits & { readonly sampleRate?: OpusSampleRate },
    signal?: AbortSignal,
  ): AsyncIterableIterator<Samples>;
}

/** Creates `mic` for a connection. */
export function createOpenMicrophone(bus: Pick<Bus, "subscribe" | "drop">): OpenMicrophone {
  const opus: OpenMicrophone["opus"] = (device, { waiting = 250 } = {}, signal) => {
    checkInteger("waiting", waiting, [1, 8192]);
    const id = parseDeviceId(device);
    return new Microphone({ bus, id, waiting }, signal);
  };
  return {
    opus,
    pcm(device, { sampleRate = 16_000, ...limits } = {}, signal) {
      const packets = opus(device, limits, signal);
      const { subject } = channels.inAudio(parseDeviceId(device));
      const samples = decode(packets, sampleRate, () => bus.drop(subject, "bad-packet"));
      return {
        next: () => samples.next(),
        // Also before the first packet, and while one is awaited.
        async return() {
          await packets.return?.();
          return samples.return(undefined);
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}

/** The packets of a device, from the subscription to the reader. */
class Microphone implements AsyncIterableIterator<InAudio> {
  readonly #packets: InAudio[] = [];
  readonly #subscription: Closer;
  readonly #signal: AbortSignal | undefined;
  /** The reads that wait for a packet, in their order. */
  readonly #waiting: ((packet: InAudio | undefined) => void)[] = [];
  #closed = false;

  constructor(
    {
      bus,
      id,
      waiting,
    }: { readonly bus: Pick<Bus, "subscribe" | "drop">; readonly id: string; readonly waiting: number },
    signal: AbortSignal | undefined,
  ) {
    const channel = channels.inAudio(id);
    this.#signal = signal;
    this.#subscription = bus.subscribe(channel, (packet) => {
      const read = this.#waiting.shift();
      if (read !== undefined) return read(packet);
      this.#packets.push(packet);
      if (this.#packets.length <= waiting) return;
      this.#packets.shift();
      bus.drop(channel.subject, "queue-full", { limit: `at most ${waiting} packets that wait` });
    });
    signal?.addEventListener("abort", this.#close, { once: true });
    if (signal?.aborted) this.#close();
  }

  async next(): Promise<IteratorResult<InAudio, undefined>> {
    const value =
      this.#packets.shift() ??
      (this.#closed ? undefined : await new Promise<InAudio | undefined>((resolve) => this.#waiting.push(resolve)));
    return value === undefined ? { value, done: true } : { value, done: false };
  }

  async return(): Promise<IteratorResult<InAudio, undefined>> {
    this.#close();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #close = (): void => {
    this.#closed = true;
    this.#packets.length = 0;
    this.#signal?.removeEventListener("abort", this.#close);
    this.#subscription.close();
    for (const read of this.#waiting.splice(0)) read(undefined);
  };
}

async function* decode(
  packets: AsyncIterableIterator<InAudio>,
  sampleRate: OpusSampleRate,
  invalid: () => void,
): AsyncGenerator<Samples, undefined> {
  // Most programs decode nothing.
  const { createOpusDecoder, OpusPacketError } = await import("@voxbus/audio");
  let decoder: OpusDecoder | undefined;
  let current: string | undefined;
  try {
    for await (const { session, seq, at, body } of packets) {
      if (session !== current) decoder?.close();
      if (session !== current || decoder === undefined) decoder = createOpusDecoder({ sampleRate });
      current = session;
      try {
        yield { session, seq, at, sampleRate, samples: decoder.decode(body) };
      } catch (error) {
        if (!(error instanceof OpusPacketError)) throw error;
        invalid();
      }
    }
  } finally {
    decoder?.close();
    await packets.return?.();
  }
  return undefined;
}
