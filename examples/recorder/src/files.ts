import { mkdir, open, readdir, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The most bytes of sound that wait for a slow disk, for each file. */
const maxWaitingBytes = 1_048_576;

/** A file that grows. Its owner alone may read it. */
export interface GrowingFile {
  /** Appends bytes. Returns false, and leaves them out, if too many wait or an earlier write failed. */
  append(bytes: Uint8Array): boolean;
  /** Resolves when everything is written. Rejects with the first error of the disk. */
  close(): Promise<void>;
}

/** Creates a file, and its folder if it is missing. `failed` is called once with the first error. */
export function createGrowingFile(path: string, failed: (error: unknown) => void): GrowingFile {
  let waiting = 0;
  let failure: { readonly error: unknown } | undefined;
  let file: FileHandle | undefined;
  let work: Promise<void> = run(async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    file = await open(path, "wx", 0o600);
  });
  async function run(step: () => Promise<unknown>): Promise<void> {
    if (failure !== undefined) return;
    try {
      await step();
    } catch (error) {
      failure = { error };
      failed(error);
    }
  }
  return {
    append(bytes) {
      if (failure !== undefined || waiting + bytes.length > maxWaitingBytes) return false;
      waiting += bytes.length;
      work = work.then(async () => {
        await run(async () => file!.appendFile(bytes));
        waiting -= bytes.length;
      });
      return true;
    },
    async close() {
      await work;
      await file?.close();
      if (failure !== undefined) throw failure.error;
    },
  };
}

/** A small file that is written as a whole: a reader sees the old one or the new one. Its owner alone may read it. */
export interface ReplacedFile {
  /** Writes the file soon. While the disk is busy, only the newest text waits. */
  replace(text: string): void;
  /** Resolves when the newest text is written, or the disk has failed. */
  close(): Promise<void>;
}

/** Prepares a file, which is created with its first text. `failed` is called with each error of the disk. */
export function createReplacedFile(path: string, failed: (error: unknown) => void): ReplacedFile {
  let next: string | undefined;
  let writing: Promise<void> | undefined;
  async function write(): Promise<void> {
    while (next !== undefined) {
      const text = next;
      next = undefined;
      await replaceFile(path, text).catch(failed);
    }
    writing = undefined;
  }
  return {
    replace(text) {
      next = text;
      writing ??= write();
    },
    close: async () => writing,
  };
}

async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Lists the recordings of a folder with their sizes (bytes), oldest change first. */
async function listRecordings(folder: string) {
  const names = await readdir(folder, { recursive: true });
  const found = await Promise.all(
    names
      .filter((name) => /\.(?:opus|json)$/.test(name))
      .map(async (name) => {
        const path = join(folder, name);
        // Another process may remove it meanwhile.
        const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
        return { path, size, mtimeMs };
      }),
  );
  return found.toSorted((a, b) => a.mtimeMs - b.mtimeMs);
}

/** Removes the oldest recordings until the rest has at most `maxBytes`. Returns the number of removed files. */
export async function removeOldest(
  folder: string,
  { maxBytes, isOpen }: { readonly maxBytes: number; readonly isOpen: (path: string) => boolean },
): Promise<number> {
  const files = await listRecordings(folder);
  let left = files.reduce((sum, { size }) => sum + size, 0);
  let removed = 0;
  for (const { path, size } of files) {
    if (left <= maxBytes) break;
    if (isOpen(path)) continue;
    await rm(path, { force: true });
    left -= size;
    removed += 1;
  }
  return removed;
}
