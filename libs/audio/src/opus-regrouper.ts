import { createOpusDecoder, type OpusDecoder } from "./opus.ts";
import { joinOpusFrames, splitOpusPacket } from "./opus-packet.ts";

/** Sound as packets of 60 ms or, where those cannot be had without decoding, as samples of 24 kHz. */
export type RegroupedSound =
  { readonly packets: readonly Uint8Array<ArrayBuffer>[] } | { readonly samples: Int16Array<ArrayBuffer> };

/** The settings of an Opus stream, from its head (RFC 7845 §5.1). */
export interface OpusHead {
  /** The samples at the start that are not to be heard, at 48 kHz. */
  readonly preSkip: number;
  /** The factor of all samples. */
  readonly gain: number;
}

/** Turns the packets of Opus streams into mono packets of 60 ms, without decoding them where that is possible. */
export interface OpusRegrouper {
  /** Begins another stream. Returns the rest of the one before. */
  begin(head: OpusHead): RegroupedSound[];
  /** Returns the sound that this packet completes. `keep` samples of 48 kHz are to be heard of it. Throws `OpusPacketError`. */
  write(packet: Uint8Array, keep?: number): RegroupedSound[];
  /** Returns the rest, less than 60 ms, as samples. */
  flush(): RegroupedSound[];
  close(): void;
}

const packetMs = 60;
const sampleRate = 24_000;
const packetSamples = 1440;
/** The number of 48 kHz samples for each one of ours. */
const step = 2;
/** The longest packet that is passed on. With its header it fits in a UDP datagram. */
const longestPacket = 1400;
/** The packets from which a decoder learns the state of the sound, 120 ms. */
const lessonPackets = 2;

/**
 * Creates a regrouper. Frames of 2.5, 5, 10, 20 and 60 ms are joined to packets of 60 ms. Stereo, frames of 40 ms, packets of
 * more than 1,400 bytes, a gain and a long start that is not to be heard need decoding: then the rest of the stream is decoded.
 */
export function createOpusRegrouper(): OpusRegrouper {
  let decoder: OpusDecoder | undefined;
  let passes = false;
  let gain = 1;
  /** The samples to leave out at the start of a decoded stream. */
  let skip = 0;
  let form = 0;
  let frames: Uint8Array[] = [];
  let latest: Uint8Array[] = [];

  function pass(packet: Uint8Array): RegroupedSound | undefined {
    const split = splitOpusPacket(packet);
    const fits = !split.stereo && packetMs % split.frameMs === 0 && (frames.length === 0 || split.form === form);
    if (!fits) return undefined;
    const count = packetMs / split.frameMs;
    const all = [...frames, ...split.frames];
    const packets: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at + count <= all.length; at += count)
      packets.push(joinOpusFrames(split.form, all.slice(at, at + count)));
    if (packets.some(({ length }) => length > longestPacket)) return undefined;
    form = split.form;
    frames = all.slice(packets.length * count);
    latest = [...latest, ...packets].slice(-lessonPackets);
    return { packets };
  }
  /** Begins to decode, with the frames that were not passed on. */
  function leavePassing(): RegroupedSound[] {
    passes = false;
    decoder = createOpusDecoder({ sampleRate });
    if (latest.length > 0) skip = 0;
    for (const packet of latest) decoder.decode(packet);
    const held = frames;
    frames = [];
    return held.map((frame) => decode(joinOpusFrames(form, [frame]), Infinity));
  }
  function decode(packet: Uint8Array, keep: number): RegroupedSound {
    decoder ??= createOpusDecoder({ sampleRate });
    const decoded = decoder.decode(packet);
    const heard = decoded.slice(Math.min(skip, decoded.length), Math.max(skip, Math.min(decoded.length, keep / step)));
    skip = Math.max(0, skip - decoded.length);
    if (gain !== 1) for (let n = 0; n < heard.length; n++) heard[n] = clip(heard[n]! * gain);
    return { samples: heard };
  }
  function flush(): RegroupedSound[] {
    return frames.length > 0 ? leavePassing() : [];
  }

  return {
    begin({ preSkip, gain: factor }) {
      const rest = flush();
      decoder?.close();
      decoder = undefined;
      gain = factor;
      skip = Math.ceil(preSkip / step);
      passes = gain === 1 && skip <= packetSamples;
      latest = [];
      return rest;
    },
    write(packet, keep = Infinity) {
      if (!passes) return [decode(packet, keep)];
      if (keep === 0) return [];
      const passed = pass(packet);
      return passed ? [passed] : [...leavePassing(), decode(packet, keep)];
    },
    flush,
    close: () => decoder?.close(),
  };
}

function clip(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}
