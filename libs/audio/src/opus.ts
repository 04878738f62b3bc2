// The wasm build, named outright: the package's own entry prefers a native build whose buffers are shared by all threads.
import { Decoder, Encoder } from "@evan/opus/wasm/index.mjs";
import { OpusPacketError, readOpusPacket } from "./opus-packet.ts";

/** The sample rates that Opus knows, in Hz. */
export type OpusSampleRate = 8000 | 12000 | 16000 | 24000 | 48000;

/** Turns mono samples into Opus packets. */
export interface OpusEncoder {
  /** One packet from one frame of 2.5, 5, 10, 20, 40 or 60 ms; any other length throws a RangeError. */
  encode(samples: Int16Array): Uint8Array<ArrayBuffer>;
  /** Frees the encoder; later calls throw. Closing twice is harmless. */
  close(): void;
}

/** Turns Opus packets into mono samples. A refused packet leaves it usable for the next one. */
export interface OpusDecoder {
  /** The packet's samples at the decoder's rate; throws only `OpusPacketError`. */
  decode(packet: Uint8Array): Int16Array<ArrayBuffer>;
  /** Frees the decoder; later calls throw. Closing twice is harmless. */
  close(): void;
}

const requests = { bitrate: 4002, complexity: 4010, inbandFec: 4012, dtx: 4016, signal: 4024 };
const voice = 3001;
const frameDurations = [2.5, 5, 10, 20, 40, 60];

/**
 * A mono encoder for speech (VOIP, no DTX, no FEC). `bitrate` in bit/s, 24,000 by default; `complexity` 0 to 10, 5 by
 * default. Fresh encoders given the same samples make the same packets.
 */
export function createOpusEncoder(options: {
  readonly sampleRate: OpusSampleRate;
  readonly bitrate?: number;
  readonly complexity?: number;
}): OpusEncoder {
  const { sampleRate, bitrate = 24_000, complexity = 5 } = options;
  const encoder = new Encoder({ channels: 1, sample_rate: sampleRate, application: "voip" });
  encoder.ctl(requests.bitrate, bitrate);
  encoder.ctl(requests.complexity, complexity);
  encoder.ctl(requests.signal, voice);
  encoder.ctl(requests.dtx, 0);
  encoder.ctl(requests.inbandFec, 0);
  let open = true;
  return {
    encode: (samples) => {
      if (!open) throw new Error("the Opus encoder is closed");
      if (!frameDurations.includes((samples.length * 1000) / sampleRate)) {
        throw new RangeError(`${samples.length} samples at ${sampleRate} Hz are no Opus frame`);
      }
      return encoder.encode(samples);
    },
    close: () => {
      open = false;
      encoder.drop();
    },
  };
}

/** A mono decoder; packets of any rate, length (2.5 to 120 ms) and channel count decode to `sampleRate`, mono. */
export function createOpusDecoder(options: { readonly sampleRate: OpusSampleRate }): OpusDecoder {
  const decoder = new Decoder({ channels: 1, sample_rate: options.sampleRate });
  let open = true;
  return {
    decode: (packet) => {
      if (!open) throw new Error("the Opus decoder is closed");
      // An empty packet would be concealed with 360 ms of invented sound, and libopus reads lengths on trust.
      readOpusPacket(packet);
      try {
        return new Int16Array(decoder.decode(packet).buffer);
      } catch (cause) {
        throw new OpusPacketError("undecodable", "the Opus decoder refused a packet", { cause });
      }
    },
    close: () => {
      open = false;
      decoder.drop();
    },
  };
}
