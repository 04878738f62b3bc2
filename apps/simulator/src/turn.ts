import type { DeviceEvent } from "./client.ts";
import { readClock } from "./microphone.ts";

/** The outcome of a turn. Only `answered` is a success; the others name the step that failed. */
export type Outcome =
  | "answered"
  | "closed"
  | "ended without a sound"
  | "no transcript in time"
  | "no start in time"
  | "no sound in time"
  | "no end in time";

/** The times of a turn's steps, in ms of `readClock`, with its transcript and its sentences. */
export interface TurnRecord {
  /** Just before the listen or the text was sent. */
  readonly began: number;
  /** When the last packet with speech, or the text, was sent. */
  inputEnd?: number;
  heardAt?: number;
  heard?: string;
  startedAt?: number;
  firstAudioAt?: number;
  stoppedAt?: number;
  readonly said: string[];
  /** The number of audio frames that the device played. */
  frames: number;
}

/** A turn, from its first frame to the end of the answer. */
export interface Turn {
  readonly record: TurnRecord;
  /** Takes an event of the connection. */
  observe(event: DeviceEvent): void;
  /** Notes that the speech, or the text, was sent. */
  endInput(at: number): void;
  /** Resolves when the answer stops, the connection closes, or nothing comes for `timeoutMs`. */
  readonly finished: Promise<Outcome>;
}

/** Observes a turn that begins now. `timeoutMs` is the longest wait for a message once the input has ended. */
export function followTurn(timeoutMs: number): Turn {
  const record: TurnRecord = { began: readClock(), said: [], frames: 0 };
  let finish: (outcome: Outcome) => void;
  const finished = new Promise<Outcome>((resolve) => (finish = resolve));
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const end = (outcome: Outcome) => {
    over = true;
    clearTimeout(timer);
    finish(outcome);
  };
  const wait = () => {
    if (over) return;
    if (timer === undefined) timer = setTimeout(() => end(nameDelay(record)), timeoutMs);
    else timer.refresh();
  };
  const observeTts = (t: number, state: unknown, text: unknown) => {
    if (state === "start") record.startedAt ??= t;
    if (state === "sentence_start" && typeof text === "string") record.said.push(text);
    if (state !== "stop" || record.startedAt === undefined) return;
    record.stoppedAt = t;
    end(record.frames > 0 ? "answered" : "ended without a sound");
  };

  return {
    record,
    finished,
    endInput(at) {
      record.inputEnd ??= at;
      wait();
    },
    observe(event) {
      if (over || !("got" in event) || event.got === "ping") return;
      if (event.got === "close") return end("closed");
      if (timer !== undefined) wait();
      if (event.got === "audio" && event.played) {
        record.firstAudioAt ??= event.t;
        record.frames++;
      }
      if (event.got !== "json") return;
      const { type, state, text } = event.message;
      if (type === "stt" && typeof text === "string") {
        record.heardAt ??= event.t;
        record.heard = text;
      }
      if (type === "tts") observeTts(event.t, state, text);
    },
  };
}

function nameDelay({ heardAt, startedAt, firstAudioAt }: TurnRecord): Outcome {
  if (startedAt === undefined) return heardAt === undefined ? "no transcript in time" : "no start in time";
  return firstAudioAt === undefined ? "no sound in time" : "no end in time";
}
