import { createEndOfSpeechDetector, OpusPacketError, type OpusPacketProblem } from "@voxbus/audio";
import { joinSamples } from "./join-samples.ts";
import { createFrameReader, frameMs, type Frame } from "./voiced-frames.ts";

/** The pauses and the maximum length of an utterance (ms). With `endMs` Infinity only a flush ends it. */
export interface EndOfSpeech {
  /** The pause after which it ends. */
  readonly endMs: number;
  /** The pause after which it may be complete. */
  readonly pauseMs: number;
  readonly maxMs: number;
}

/** The amount of voice in an utterance. */
export interface Voicing {
  /** Time in which the voice detector heard voice (ms). */
  readonly voicedMs: number;
  /** The part of it with the pitch of a voice (ms). */
  readonly pitchedMs: number;
}

/**
 * A piece of a device's audio, in order: a packet, a number of lost frames (`seq` is the last of them), or a flush. The
 * pause after the frame `origin` may be given another length. `sentAt` is when a packet was sent to its thread (`readClock`, ms).
 */
export type FrontEndInput =
  | { readonly type: "endAfter"; readonly origin: number; readonly pauseMs: number }
  | { readonly type: "packet"; readonly seq: number; readonly packet: Uint8Array; readonly sentAt?: number }
  | { readonly type: "lost"; readonly seq: number; readonly frames: number }
  | { readonly type: "flush" };

/** An event in the audio. `onset`, `speech` (with `pause`) and `end` come in this order; `flushed` answers every flush. */
export type FrontEndEvent =
  /** Voice began in the frame `from`. */
  | { readonly type: "onset"; readonly from: number }
  /** Speech for the recognizer, from 300 ms before the onset on. */
  | { readonly type: "speech"; readonly samples: Int16Array<ArrayBuffer> }
  /** The utterance pauses after its voiced frame `origin`, and perhaps it is complete. */
  | { readonly type: "pause"; readonly origin: number }
  /** The utterance ended; `origin` was its last voiced frame. */
  | { readonly type: "end"; readonly origin: number; readonly voicing: Voicing }
  | { readonly type: "flushed" }
  /** Most packets of the last 2 s, of all listens in this thread, came late to it. */
  | { readonly type: "behind" }
  /** A packet was not valid Opus. It is skipped. */
  | { readonly type: "invalid"; readonly code: OpusPacketProblem };

/** Decodes one device's audio and finds its utterances. It is cheap enough to have thousands in a thread. */
export interface AudioFrontEnd {
  /** Takes the next piece and returns the events in it. */
  write(input: FrontEndInput): FrontEndEvent[];
  /** Frees the decoder and the detector. */
  close(): void;
}

const preRollFrames = 15;
// An onset is found late when voice and silence alternate, so its beginning is kept for as long as this.
const onsetFrames = 25;
// The recognizer gets this much of the silence that ends an utterance. In more it tends to hear fricatives.
const tailFrames = 5;

/** Creates the front end of one listen to a device that sends Opus. */
export function createAudioFrontEnd({ endMs, pauseMs, maxMs }: EndOfSpeech): AudioFrontEnd {
  const reader = createFrameReader();
  const speech = createEndOfSpeechDetector({ endMs, maxMs, frameMs });
  /** Frames that the recognizer did not get yet: the latest before an onset, or those of a pause within an utterance. */
  let held: Frame[] = [];
  let origin = 0;
  /** Frames since the last voiced one. */
  let trailing = 0;
  let voicing: Voicing = { voicedMs: 0, pitchedMs: 0 };

  // Events are pushed into a list, not returned: silent devices send thousands of packets a second.
  function takeFrame(frame: Frame, events: FrontEndEvent[]) {
    const { seq, voiced } = frame;
    const found = speech.write(voiced);
    if (voiced) origin = seq;
    held.push(frame);
    if (found.state === "silence") {
      if (held.length > preRollFrames + onsetFrames) held = held.slice(-preRollFrames - onsetFrames);
      return;
    }
    if (found.state === "onset") {
      const first = Math.max(0, held.length - found.frames);
      events.push({ type: "onset", from: held[first]!.seq });
      voicing = addVoicing({ voicedMs: 0, pitchedMs: 0 }, held.slice(first));
      held = held.slice(Math.max(0, first - preRollFrames));
      return release(held.length, events);
    }
    trailing = found.trailing;
    voicing = addVoicing(voicing, [frame]);
    // A longer pause would be heard as words, too.
    if (voiced) held = held.slice(-tailFrames - 1);
    if (voiced || trailing === tailFrames) release(held.length, events);
    if (found.state === "end") end(events);
    else if (trailing === Math.ceil(pauseMs / frameMs)) events.push({ type: "pause", origin });
  }

  function end(events: FrontEndEvent[]) {
    if (trailing < tailFrames) release(tailFrames, events);
    events.push({ type: "end", origin, voicing });
    trailing = 0;
  }

  function release(frames: number, events: FrontEndEvent[]) {
    const samples = joinSamples(...held.splice(0, frames).map((frame) => frame.samples));
    if (samples.length > 0) events.push({ type: "speech", samples });
  }

  function flush(events: FrontEndEvent[]) {
    if (speech.speaking) {
      end(events);
      speech.reset();
    }
    held = [];
    events.push({ type: "flushed" });
  }

  return {
    write(input) {
      const events: FrontEndEvent[] = [];
      if (input.type === "flush") flush(events);
      else if (input.type === "endAfter") {
        if (speech.speaking && input.origin === origin) speech.endAfter(input.pauseMs);
      } else if (input.type === "lost") {
        for (const frame of reader.conceal(input.seq, input.frames)) takeFrame(frame, events);
      } else {
        try {
          for (const frame of reader.read(input.seq, input.packet, !speech.speaking)) takeFrame(frame, events);
        } catch (error) {
          if (!(error instanceof OpusPacketError)) throw error;
          events.push({ type: "invalid", code: error.code });
        }
      }
      return events;
    },
    close: reader.close,
  };
}

function addVoicing({ voicedMs, pitchedMs }: Voicing, frames: readonly Frame[]): Voicing {
  const measure = (what: "voiced" | "pitched") => frames.filter((frame) => frame[what]).length * frameMs;
  return { voicedMs: voicedMs + measure("voiced"), pitchedMs: pitchedMs + measure("pitched") };
}
