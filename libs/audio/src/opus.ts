// The wasm build by its own path: the package's main entry prefers a native build, whose buffers are shared by all threads.
import { Decoder, Encoder } from "@evan/opus/wasm/index.mjs";
import { OpusPacketError, readOpusPacket } from "./opus-packet.ts";

/** The sample rates of Opus, in Hz. */
export type OpusSampleRate = 8000 | 12000 | 16000 | 24000 | 48000;

/** Turns mono samples into Opus packets. */
export interface OpusEncoder {
  /** Encodes one frame of 2.5, 5, 10, 20, 40 or 60 ms to one packet. Any other length throws a RangeError. */
  encode(samples: Int16Array): Uint8Array<ArrayBuffer>;
  /** Frees the encoder. Later calls of `encode` throw. Closing twice is harmless. */
  close(): void;
}

/** Turns Opus packets into mono samples. After an invalid packet it decodes the next one as usual. */
export interface OpusDecoder {
  /** Decodes a packet to samples at the decoder's rate. Throws nothing but `OpusPacketError`. */
  decode(packet: Uint8Array): Int16Array<ArrayBuffer>;
  /** Frees the decoder. Later calls of `decode` throw. Closing twice is harmless. */
  close(): void;
}

const requests = { bitrate: 4002, complexity: 4010, inbandFec: 4012, dtx: 4016, signal: 4024 };
const voice = 3001;
const frameDurations = [2.5, 5, 10, 20, 40, 60];

/**
 * Creates a mono encoder for speech (VOIP, no DTX, no FEC). `bitrate` is in bit/s (24,000), `complexity` 0 to 10 (5). New
 * encoders turn the same samples into the same packets.
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
        throw new RangeError(
          `expected an Opus frame of ${frameDurations.join(", ")} ms, got ${samples.length} samples at ${sampleRate} Hz`,
        );
      }
      return encoder.encode(samples);
    },
    close: () => {
      open = false;
      encoder.drop();
    },
  };
}

/** Creates a mono decoder. Packets of any rate, duration and channel count are decoded to mono at `sampleRate`. */
export function createOpusDecoder(options: { readonly sampleRate: OpusSampleRate }): OpusDecoder {
  const decoder = new Decoder({ channels: 1, sample_rate: options.sampleRate });
  let open = true;
  return {
    decode: (packet) => {
      if (!open) throw new Error("the Opus decoder is closed");
      // libopus would conceal an empty packet with 360 ms of invented sound, and it trusts the lengths in a packet.
      readOpusPacket(packet);
      try {
        return new Int16Array(decoder.decode(packet).buffer);
      } catch (cause) {
        throw new OpusPacketError("undecodable", "the Opus decoder failed on a packet", { cause });
      }
    },
    close: () => {
      open = false;
      decoder.drop();
    },
  };
}
