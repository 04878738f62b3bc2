import { join } from "node:path";
import { createOggOpusWriter, OpusPacketError } from "@voxbus/audio";
import type { Event, Heard, InAudio, InText, Say } from "@voxbus/subscriber";
import { createGrowingFile, createReplacedFile, type GrowingFile } from "./files.ts";
import { createPlaces } from "./spans.ts";
import { createTurns, type Turn } from "./turns.ts";

/** The most turns in one file. */
const maxTurns = 200;
/** After an error of the disk the next file begins this much later, in ms. */
const retryMs = 10_000;

/** Why something is missing in a recording. */
export type Loss = (typeof losses)[number];
export const losses = ["invalid-packet", "disk"] as const;

/** Settings of a recording, and where it reports. */
export interface RecordingOptions {
  readonly folder: string;
  readonly device: string;
  readonly session: string;
  /** The sound in one file, in ms. */
  readonly partMs: number;
  /** Called for each packet that is missing in the recording. */
  readonly lost: (reason: Loss) => void;
  /** Called with the first error of the disk for each file. */
  readonly failed: (error: unknown) => void;
  readonly now: () => number;
}

/** Records one session of a device: its sound as Ogg Opus, and its turns as JSON. */
export interface Recording {
  /** When it last got a message, in ms. */
  readonly usedAt: number;
  audio(frame: InAudio): void;
  heard(heard: Heard): void;
  typed(frame: InText): void;
  said(say: Say): void;
  ended(turn: NonNullable<Event["turn"]>): void;
  /** True for a file that is being written. */
  isOpen(path: string): boolean;
  /** Resolves when everything is on disk, or the disk has failed. */
  close(): Promise<void>;
}

/** Starts a recording. Its files are created when they get their first content. */
export function startRecording(options: RecordingOptions): Recording {
  const { folder, partMs, lost, failed, now } = options;
  const turns = createTurns(now);
  const places = createPlaces();
  let usedAt = now();
  let base = nameFiles(options);
  let ogg = createOggOpusWriter();
  let sound: GrowingFile | undefined;
  let closing: Promise<unknown> = Promise.resolve();
  let file = createReplacedFile(`${base}.json`, failed);
  let hasTurns = false;
  let brokenAt = Infinity;

  const soundFailed = (error: unknown) => {
    brokenAt = now();
    failed(error);
  };
  function endSound(): void {
    const ended = sound;
    if (ended === undefined) return;
    ended.append(ogg.close());
    sound = undefined;
    ogg = createOggOpusWriter();
    // The error was told when it came.
    closing = Promise.allSettled([closing, ended.close()]);
  }
  /** Begins the next files. Turns that have not ended go on in the next one. */
  function rotate(): void {
    endSound();
    const ended = turns.takeEnded();
    if (hasTurns) save(ended);
    closing = Promise.allSettled([closing, file.close()]);
    base = nameFiles(options);
    hasTurns = false;
    brokenAt = Infinity;
    file = createReplacedFile(`${base}.json`, failed);
  }
  function save(list: readonly Turn[]): void {
    hasTurns = true;
    file.replace(`${JSON.stringify(list, undefined, 2)}\n`);
  }
  function change(apply: () => void): void {
    usedAt = now();
    apply();
    const list = turns.list();
    save(list);
    if (list.length >= maxTurns) rotate();
  }
  return {
    get usedAt() {
      return usedAt;
    },
    audio({ seq, body }) {
      usedAt = now();
      if (now() - brokenAt > retryMs) rotate();
      const fromMs = ogg.durationMs;
      try {
        const bytes = ogg.write(body);
        sound ??= createGrowingFile(`${base}.opus`, soundFailed);
        if (!sound.append(bytes)) return lost("disk");
      } catch (error) {
        if (!(error instanceof OpusPacketError)) throw error;
        return lost("invalid-packet");
      }
      places.add(seq, { file: `${base}.opus`.slice(folder.length + 1), fromMs, toMs: ogg.durationMs });
      if (ogg.durationMs >= partMs) rotate();
    },
    heard: (heard) => change(() => turns.heard(heard, places.find(heard.from, heard.origin))),
    typed: (frame) => change(() => turns.typed(frame)),
    said: (say) => change(() => turns.said(say)),
    ended: (turn) => change(() => turns.ended(turn)),
    isOpen: (path) => path.startsWith(`${base}.`),
    async close() {
      endSound();
      await Promise.allSettled([closing, file.close()]);
    },
  };
}

/** Names the next files without their suffixes. */
function nameFiles({ folder, device, session, now }: RecordingOptions): string {
  const time = new Date(now()).toISOString().replaceAll(":", "-");
  // A bucket's key writes the colons of a device's id like this, too.
  return join(folder, device.replaceAll(":", "="), `${time}-${session}`);
}
