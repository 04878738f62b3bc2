import {
  createEndOfSpeechDetector,
  createOpusDecoder,
  createVoiceDetector,
  OpusPacketError,
  readOpusPacket,
  voiceFrameSamples,
} from "@voxbus/audio";
import { joinSamples } from "./join-samples.ts";

/** The pause after which an utterance ends, and its maximum length (ms). With `endMs` Infinity only a flush ends it. */
export interface EndOfSpeech {
  readonly endMs: number;
  readonly maxMs: number;
}

/** A piece of a device's audio, in order: a packet, a number of lost frames (`seq` is the last of them), or a flush. */
export type FrontEndInput =
  | { readonly type: "packet"; readonly seq: number; readonly packet: Uint8Array }
  | { readonly type: "lost"; readonly seq: number; readonly frames: number }
  | { readonly type: "flush" };

/** An event in the audio. `onset`, `speech` and `end` come in this order; `flushed` answers every flush. */
export type FrontEndEvent =
  /** Voice began in the frame `from`. */
  | { readonly type: "onset"; readonly from: number }
  /** Speech for the recognizer, from 300 ms before the onset on. */
  | { readonly type: "speech"; readonly samples: Int16Array }
  /** The utterance ended; `origin` was its last voiced frame. */
  | { readonly type: "end"; readonly origin: number }
  | { readonly type: "flushed" }
  /** A packet was not valid Opus. It is skipped. */
  | { readonly type: "invalid"; readonly code: string };

/** Decodes one device's audio and finds its utterances. It is cheap enough to have thousands in a thread. */
export interface AudioFrontEnd {
  /** Takes the next piece and returns the events in it. */
  write(input: FrontEndInput): FrontEndEvent[];
  /** Frees the decoder and the detector. */
  close(): void;
}

interface Frame {
  readonly seq: number;
  readonly samples: Int16Array;
}

const frameMs = 20;
const preRollFrames = 15;
// An onset is found late when voice and silence alternate, so its beginning is kept for as long as this.
const onsetFrames = 25;
// The recognizer gets this much of the silence that ends an utterance. In more it tends to hear fricatives.
const tailFrames = 5;
// With DTX, packets up to this size mean that the encoder heard silence.
const dtxBytes = 3;
const concealedFrames = 50;
const silence = new Int16Array(voiceFrameSamples);

/** Creates the front end of one listen to a device that sends Opus. */
export function createAudioFrontEnd({ endMs, maxMs }: EndOfSpeech): AudioFrontEnd {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const voice = createVoiceDetector();
  const speech = createEndOfSpeechDetector({ endMs, maxMs, frameMs });
  const cutFrames = createFrameCutter();
  /** Frames that the recognizer did not get yet: the latest before an onset, or those of a pause within an utterance. */
  let held: Frame[] = [];
  let packetMs = 60;
  let origin = 0;

  // Events are pushed into a list, not returned: silent devices send thousands of packets a second.
  function takeFrame(frame: Frame, voiced: boolean, events: FrontEndEvent[]) {
    const found = speech.write(voiced);
    if (voiced) origin = frame.seq;
    held.push(frame);
    if (found.state === "silence") {
      if (held.length > preRollFrames + onsetFrames) held = held.slice(-preRollFrames - onsetFrames);
    } else if (found.state === "end") {
      release(tailFrames, events);
      events.push({ type: "end", origin });
    } else if (found.state === "onset") {
      const first = Math.max(0, held.length - found.frames);
      events.push({ type: "onset", from: held[first]!.seq });
      held = held.slice(Math.max(0, first - preRollFrames));
      release(held.length, events);
    } else if (voiced) release(held.length, events);
  }

  function release(frames: number, events: FrontEndEvent[]) {
    const samples = joinSamples(...held.splice(0, frames).map((frame) => frame.samples));
    if (samples.length > 0) events.push({ type: "speech", samples });
  }

  function takeSilence(seq: number, frames: number, events: FrontEndEvent[]) {
    for (let i = 0; i < frames; i++) takeFrame({ seq, samples: silence }, false, events);
  }

  function takePacket(seq: number, packet: Uint8Array, events: FrontEndEvent[]) {
    const { durationMs } = readOpusPacket(packet);
    packetMs = durationMs;
    // Most devices are silent most of the time: their packets are not even decoded.
    if (packet.length <= dtxBytes && !speech.speaking) return takeSilence(seq, Math.ceil(durationMs / frameMs), events);
    for (const samples of cutFrames(decoder.decode(packet))) takeFrame({ seq, samples }, voice.write(samples), events);
  }

  function flush(events: FrontEndEvent[]) {
    if (speech.speaking) {
      release(tailFrames, events);
      events.push({ type: "end", origin });
      speech.reset();
    }
    held = [];
    events.push({ type: "flushed" });
  }

  return {
    write(input) {
      const events: FrontEndEvent[] = [];
      if (input.type === "flush") flush(events);
      else if (input.type === "lost") {
        const frames = Math.round((input.frames * packetMs) / frameMs);
        takeSilence(input.seq, Math.min(concealedFrames, frames), events);
      } else {
        try {
          takePacket(input.seq, input.packet, events);
        } catch (error) {
          if (!(error instanceof OpusPacketError)) throw error;
          events.push({ type: "invalid", code: error.code });
        }
      }
      return events;
    },
    close() {
      decoder.close();
      voice.close();
    },
  };
}

/** Creates a function that cuts a stream of samples into frames and keeps the rest for the next call. */
function createFrameCutter(): (samples: Int16Array) => Int16Array[] {
  let rest = new Int16Array(0);
  return (samples) => {
    const all = joinSamples(rest, samples);
    const frames = Math.floor(all.length / voiceFrameSamples);
    rest = all.slice(frames * voiceFrameSamples);
    return Array.from({ length: frames }, (_, i) => all.subarray(i * voiceFrameSamples, (i + 1) * voiceFrameSamples));
  };
}
