import { once } from "node:events";
import { open } from "node:fs/promises";
import type { WriteStream } from "node:fs";
import { encodeEntry, encodeHeader, type RecordedLoss, type RecordingHeader } from "./format.ts";

/** Bytes that may wait to be written. A disk that stalls for longer costs messages, not memory. */
const maxQueuedBytes = 32 * 1_048_576;
// NATS does not bound the headers of a message.
const maxHeaders = 64;

/** A message for a recording. */
export interface Recordable {
  readonly subject: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly data: Uint8Array;
}

/** A file that takes messages. */
export interface RecordingWriter {
  /** Messages written so far. */
  readonly messages: number;
  /** Messages left out so far, by reason. */
  readonly lost: Readonly<Record<Exclude<RecordedLoss["reason"], "nats-away">, number>>;
  /** Bytes of the file so far, with those that wait to be written. */
  readonly bytes: number;
  /** Adds a message with the present time. What does not fit is counted, and noted in the file. */
  write(message: Recordable): void;
  /** Adds the profile of a device, as JSON text. */
  writeProfile(device: string, profile: string): void;
  /** Notes that messages may be missing because NATS was away. */
  noteAway(): void;
  /** Rejects with the error of the disk. It never resolves. */
  readonly failed: Promise<never>;
  /** Marks the recording as complete, writes what waits, and closes the file. Throws the error of the disk. */
  end(): Promise<void>;
}

/** Options of a recording. */
export interface RecordingOptions extends Pick<RecordingHeader, "devices"> {
  readonly path: string;
  /** Gives the time since the start of the recording, in ms. Default: a clock that does not jump. */
  readonly now?: () => number;
}

/** Creates the file, readable only by its owner (mode 0600). Throws if it exists, so that no recording is overwritten. */
export async function createRecording({
  path,
  devices,
  now = createClock(),
}: RecordingOptions): Promise<RecordingWriter> {
  const file = await open(path, "wx", 0o600);
  const stream = file.createWriteStream();
  const failed = once(stream, "error").then(([error]) => Promise.reject(error as Error));
  failed.catch(() => undefined);
  return new FileWriter(stream, { failed, devices, now });
}

function createClock(): () => number {
  const start = performance.now();
  // Microseconds are more than a network is exact to.
  return () => Math.round((performance.now() - start) * 1000) / 1000;
}

class FileWriter implements RecordingWriter {
  readonly failed: Promise<never>;
  readonly lost = { "queue-full": 0, oversized: 0 };
  messages = 0;
  bytes = 0;
  readonly #stream: WriteStream;
  readonly #now: () => number;
  /** Losses that the file does not note yet. */
  readonly #untold = { "queue-full": 0, oversized: 0 };

  constructor(
    stream: WriteStream,
    {
      failed,
      devices,
      now,
    }: Pick<RecordingWriter, "failed"> & Pick<RecordingHeader, "devices"> & { now: () => number },
  ) {
    this.#stream = stream;
    this.failed = failed;
    this.#now = now;
    this.#put(encodeHeader({ at: Date.now(), devices }));
  }

  write({ subject, headers, data }: Recordable): void {
    const t = this.#now();
    const kept = headers && Object.fromEntries(Object.entries(headers).slice(0, maxHeaders));
    const entry = encodeEntry({ type: "message", t, subject, headers: kept, data });
    if (entry === undefined) return this.#lose("oversized");
    if (this.#stream.writableLength + entry.byteLength > maxQueuedBytes) return this.#lose("queue-full");
    this.#tell(t);
    this.messages += 1;
    this.#put(entry);
  }

  writeProfile(device: string, profile: string): void {
    this.#note({ type: "profile", t: this.#now(), device, profile });
  }

  noteAway(): void {
    this.#note({ type: "lost", t: this.#now(), reason: "nats-away" });
  }

  async end(): Promise<void> {
    const t = this.#now();
    this.#tell(t);
    this.#note({ type: "end", t, messages: this.messages });
    await Promise.race([new Promise<void>((resolve) => this.#stream.end(resolve)), this.failed]);
  }

  #lose(reason: "queue-full" | "oversized"): void {
    this.lost[reason] += 1;
    this.#untold[reason] += 1;
  }

  #tell(t: number): void {
    for (const reason of ["queue-full", "oversized"] as const) {
      const messages = this.#untold[reason];
      this.#untold[reason] = 0;
      if (messages > 0) this.#note({ type: "lost", t, reason, messages });
    }
  }

  #note(entry: Parameters<typeof encodeEntry>[0]): void {
    const encoded = encodeEntry(entry);
    if (encoded !== undefined) this.#put(encoded);
  }

  #put(data: Uint8Array): void {
    this.bytes += data.byteLength;
    if (!this.#stream.destroyed) this.#stream.write(data);
  }
}
