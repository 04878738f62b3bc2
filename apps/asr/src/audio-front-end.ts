import {
  createEndOfSpeechDetector,
  createOpusDecoder,
  createVoiceDetector,
  OpusPacketError,
  readOpusPacket,
  voiceFrameSamples,
} from "@voxbus/audio";

/** When an utterance ends, all in ms; `endMs` is the silence after it, Infinity where only a flush ends it. */
export interface EndOfSpeech {
  readonly endMs: number;
  readonly maxMs: number;
}

/** What a device sent, in order: a packet, frames that are lost (the last of them is `seq`), or that speech ends here. */
export type Listened =
  | { readonly type: "packet"; readonly seq: number; readonly packet: Uint8Array }
  | { readonly type: "lost"; readonly seq: number; readonly frames: number }
  | { readonly type: "flush" };

/** What was found in it. `onset`, `speech` and `end` come in this order; every flush is answered by `flushed`. */
export type Found =
  /** Voice began in the frame `from`. */
  | { readonly type: "onset"; readonly from: number }
  /** Speech for the recogniser, from 300 ms before the onset on. */
  | { readonly type: "speech"; readonly samples: Int16Array }
  /** The utterance is over; `origin` was its last voiced frame. */
  | { readonly type: "end"; readonly origin: number }
  | { readonly type: "flushed" }
  /** A packet that is no Opus; it changes nothing. */
  | { readonly type: "refused"; readonly code: string };

/** One device being listened to: decoding, voice detection and endpointing, cheap enough to have thousands. */
export interface Listening {
  write(heard: Listened): Found[];
  /** Frees the decoder and the detector. */
  close(): void;
}

const frameMs = 20;
const preRollFrames = 15;
// An onset may be found late, when voice and silence took turns: as far back as this the beginning is kept.
const onsetFrames = 25;
// Of the silence that ends an utterance the recogniser gets only so much: it tends to hear fricatives in noise.
const tailFrames = 5;
// With DTX, packets up to this size say that the encoder heard silence.
const dtxBytes = 3;
const concealedFrames = 50;

/** Starts to listen to a device that sends Opus. */
export function createListening({ endMs, maxMs }: EndOfSpeech): Listening {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const detector = createVoiceDetector();
  const endpointer = createEndOfSpeechDetector({ endMs, maxMs, frameMs });
  const silence = new Int16Array(voiceFrameSamples);
  /** Frames that the recogniser did not get: the latest ones before an onset, those of a pause within an utterance. */
  let kept: { readonly seq: number; readonly samples: Int16Array }[] = [];
  let rest = new Int16Array(0);
  let packetMs = 60;
  let origin = 0;

  function takeFrame(seq: number, samples: Int16Array, voiced: boolean, found: Found[]) {
    const { speaking } = endpointer;
    const point = endpointer.write(voiced);
    if (voiced) origin = seq;
    kept.push({ seq, samples });
    if (point.state === "silence") {
      if (kept.length > preRollFrames + onsetFrames) kept = kept.slice(-preRollFrames - onsetFrames);
      return;
    }
    if (point.state === "onset") {
      const first = Math.max(0, kept.length - point.frames);
      found.push({ type: "onset", from: kept[first]!.seq });
      kept = kept.slice(Math.max(0, first - preRollFrames));
    }
    if (point.state === "end") {
      release(found, tailFrames);
      found.push({ type: "end", origin });
    } else if (voiced || !speaking) release(found, kept.length);
  }

  function release(found: Found[], frames: number) {
    const samples = new Int16Array(Math.min(frames, kept.length) * voiceFrameSamples);
    kept.splice(0, frames).forEach((frame, i) => samples.set(frame.samples, i * voiceFrameSamples));
    if (samples.length > 0) found.push({ type: "speech", samples });
  }

  function takePacket(seq: number, packet: Uint8Array, found: Found[]) {
    const { durationMs } = readOpusPacket(packet);
    packetMs = durationMs;
    // Thousands of silent devices are the usual case: what they send is not even decoded.
    if (packet.length <= dtxBytes && !endpointer.speaking) {
      for (let ms = 0; ms < durationMs; ms += frameMs) takeFrame(seq, silence, false, found);
      return;
    }
    const decoded = decoder.decode(packet);
    const samples = new Int16Array(rest.length + decoded.length);
    samples.set(rest);
    samples.set(decoded, rest.length);
    let at = 0;
    for (; at + voiceFrameSamples <= samples.length; at += voiceFrameSamples) {
      const frame = samples.subarray(at, at + voiceFrameSamples);
      takeFrame(seq, frame, detector.write(frame), found);
    }
    rest = samples.slice(at);
  }

  return {
    write(heard) {
      const found: Found[] = [];
      if (heard.type === "packet") {
        try {
          takePacket(heard.seq, heard.packet, found);
        } catch (error) {
          if (!(error instanceof OpusPacketError)) throw error;
          found.push({ type: "refused", code: error.code });
        }
      } else if (heard.type === "lost") {
        const frames = Math.min(concealedFrames, Math.round((heard.frames * packetMs) / frameMs));
        for (let i = 0; i < frames; i++) takeFrame(heard.seq, silence, false, found);
      } else {
        if (endpointer.speaking) {
          release(found, tailFrames);
          found.push({ type: "end", origin });
          endpointer.reset();
        }
        kept = [];
        found.push({ type: "flushed" });
      }
      return found;
    },
    close() {
      decoder.close();
      detector.close();
    },
  };
}
