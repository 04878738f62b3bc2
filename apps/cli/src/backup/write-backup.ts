import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import type { Admin } from "@voxbus/bus";
import { frame } from "../frames.ts";
import { backedUp, createHeader, type BackupEntry, type StoreName } from "./format.ts";

/** A stream or bucket in a backup. */
export interface StoredStore {
  readonly name: StoreName;
  readonly messages: number;
  /** Bytes in the file. */
  readonly bytes: number;
}

/** A finished backup. */
export interface WrittenBackup {
  readonly bytes: number;
  readonly stores: readonly StoredStore[];
}

/**
 * Writes a backup into a new file that only its owner can read (mode 0600). Each stream and bucket is copied as it is at one
 * moment, one after another. Memory holds a few pieces at most. If it fails, the file is removed. Throws CopyError, the
 * error of the disk, or the signal's reason.
 */
export async function writeBackup(admin: Admin, path: string, signal: AbortSignal): Promise<WrittenBackup> {
  const file = await open(path, "wx", 0o600);
  try {
    const hash = createHash("sha256");
    let size = 0;
    const write = async (data: Uint8Array): Promise<void> => {
      hash.update(data);
      size += data.byteLength;
      await file.appendFile(data);
    };
    const put = (entry: BackupEntry) => write(frame(entry));
    await write(frame(createHeader({ at: Date.now(), prefix: admin.prefix, nats: admin.server().version })));
    const stores: StoredStore[] = [];
    for (const name of backedUp) {
      let bytes = 0;
      const take = (data: Uint8Array) => {
        bytes += data.byteLength;
        return put({ type: "piece", data });
      };
      const copy = await admin.copy(name, take, signal);
      if (copy === undefined) continue;
      await put({ type: "store", name, bytes, copy });
      stores.push({ name, messages: copy.state.messages, bytes });
    }
    await put({ type: "end", stores: stores.length, sha256: hash.copy().digest() });
    await file.sync();
    await file.close();
    return { bytes: size, stores };
  } catch (error) {
    await file.close().catch(() => undefined); // the first error counts
    await rm(path, { force: true });
    throw error;
  }
}
