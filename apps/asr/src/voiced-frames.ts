import {
  createOpusDecoder,
  createVoiceDetector,
  measurePeriodicity,
  readOpusPacket,
  voiceFrameSamples,
} from "@voxbus/audio";
import { joinSamples } from "./join-samples.ts";

/** 20 ms of a device's audio. */
export interface Frame {
  readonly seq: number;
  readonly samples: Int16Array;
  /** True if the voice detector hears voice. */
  readonly voiced: boolean;
  /** True if it has the pitch of a voice, too. */
  readonly pitched: boolean;
}

/** Reads a device's audio frame by frame. */
export interface FrameReader {
  /** Decodes a packet. With `mayBeSilent`, a packet that holds silence is not even decoded. Throws OpusPacketError. */
  read(seq: number, packet: Uint8Array, mayBeSilent: boolean): readonly Frame[];
  /** Gives the silence in place of lost packets, at most 1 s. */
  conceal(seq: number, packets: number): readonly Frame[];
  /** Frees the decoder and the detector. */
  close(): void;
}

/** The length of a frame, ms. */
export const frameMs = 20;

// With DTX, packets up to this size mean that the encoder heard silence.
const dtxBytes = 3;
const concealedFrames = 50;
// Measured: four voices are above this in most of their voiced frames, slams and coughs in few.
const pitchedFrom = 0.7;
const silence = new Int16Array(voiceFrameSamples);

/** Creates the reader of a device that sends Opus. */
export function createFrameReader(): FrameReader {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const voice = createVoiceDetector();
  const cutFrames = createFrameCutter();
  let packetMs = 60;
  /** The latest two frames. */
  const latest = new Int16Array(2 * voiceFrameSamples);

  function hear(seq: number, samples: Int16Array): Frame {
    latest.copyWithin(0, voiceFrameSamples);
    latest.set(samples, voiceFrameSamples);
    const voiced = voice.write(samples);
    const pitched = voiced && measurePeriodicity(latest, pitchedFrom) >= pitchedFrom;
    return { seq, samples, voiced, pitched };
  }
  function makeSilence(seq: number, frames: number): readonly Frame[] {
    latest.fill(0);
    return Array.from({ length: frames }, () => ({ seq, samples: silence, voiced: false, pitched: false }));
  }

  return {
    read(seq, packet, mayBeSilent) {
      const { durationMs } = readOpusPacket(packet);
      packetMs = durationMs;
      // Most devices are silent most of the time.
      if (packet.length <= dtxBytes && mayBeSilent) return makeSilence(seq, Math.ceil(durationMs / frameMs));
      return cutFrames(decoder.decode(packet)).map((samples) => hear(seq, samples));
    },
    conceal: (seq, packets) => makeSilence(seq, Math.min(concealedFrames, Math.round((packets * packetMs) / frameMs))),
    close() {
      decoder.close();
      voice.close();
    },
  };
}

/** Creates a function that cuts a stream of samples into frames and keeps the rest for the next call. */
function createFrameCutter(): (samples: Int16Array) => Int16Array[] {
  let rest: Int16Array = new Int16Array(0);
  return (samples) => {
    const all = rest.length === 0 ? samples : joinSamples(rest, samples);
    const frames = Math.floor(all.length / voiceFrameSamples);
    rest = all.slice(frames * voiceFrameSamples);
    return Array.from({ length: frames }, (_, i) => all.subarray(i * voiceFrameSamples, (i + 1) * voiceFrameSamples));
  };
}
