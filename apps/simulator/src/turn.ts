import type { DeviceEvent } from "./device-client.ts";
import { readClock } from "./microphone.ts";

/** What became of a turn. Only `answered` is a success; the others say how far it came. */
export type Outcome =
  | "answered"
  | "closed"
  | "ended without a sound"
  | "no transcript in time"
  | "no start in time"
  | "no sound in time"
  | "no end in time";

/** When the parts of a turn came, in ms of `readClock`, and what was heard and said. */
export interface TurnRecord {
  /** When it began: the listen or the text was about to be sent. */
  readonly began: number;
  /** When the last speech, or the text, was sent. */
  inputEnd?: number;
  heardAt?: number;
  heard?: string;
  startedAt?: number;
  firstAudioAt?: number;
  stoppedAt?: number;
  readonly said: string[];
  /** Audio frames that the device took. */
  frames: number;
}

/** One exchange, from the first frame of what is said to the end of the answer. */
export interface Turn {
  readonly record: TurnRecord;
  /** To be called with every event of the connection. */
  see(event: DeviceEvent): void;
  /** To be called when the speech, or the text, was sent. */
  endInput(at: number): void;
  /** Resolves when the answer was stopped, the connection closed, or nothing came for the patience. */
  readonly finished: Promise<Outcome>;
}

/** Follows a turn that begins now. `patienceMs` is how long nothing may come from the server once the input has ended. */
export function followTurn(patienceMs: number): Turn {
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
    if (timer === undefined) timer = setTimeout(() => end(nameDelay(record)), patienceMs);
    else timer.refresh();
  };
  const seeTts = (t: number, state: unknown, text: unknown) => {
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
    see(event) {
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
      if (type === "tts") seeTts(event.t, state, text);
    },
  };
}

function nameDelay({ heardAt, startedAt, firstAudioAt }: TurnRecord): Outcome {
  if (startedAt === undefined) return heardAt === undefined ? "no transcript in time" : "no start in time";
  return firstAudioAt === undefined ? "no sound in time" : "no end in time";
}
