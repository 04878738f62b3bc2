import { setTimeout as sleep } from "node:timers/promises";
import { CopyError, type Admin, type StreamState } from "@voxbus/bus";
import { CommandError } from "../command.ts";
import type { StoreName } from "./format.ts";
import { readPieces, type CheckedBackup, type FoundStore } from "./read-backup.ts";

/** A program that runs creates a missing stream anew, so it may take several attempts to be first. */
const attempts = 5;
const pauseMs = 200;

/**
 * Explains why a backup cannot be restored into this system as it is, or gives undefined. Nothing is written. With
 * `overwrite`, streams and buckets that hold something are replaced.
 */
export async function findHindrance(
  admin: Admin,
  { header, stores }: CheckedBackup,
  overwrite: boolean,
): Promise<string | undefined> {
  if (header.prefix !== admin.prefix)
    return `The backup is of a system ${namePrefix(header.prefix)}, and this is one ${namePrefix(admin.prefix)}. Set VOXBUS_NATS_PREFIX to that of the backup.`;
  const states = await admin.streams();
  const list = (...wanted: readonly StreamState["state"][]) =>
    states.filter(({ name, state }) => wanted.includes(state) && stores.some((store) => store.name === name));
  const unreadable = list("foreign", "denied", "unanswered");
  if (unreadable.length > 0)
    return `Not replaceable: ${unreadable.map(({ name, state }) => `${name} (${state})`).join(", ")}. voxbus doctor tells more.`;
  const full = list("ok", "differs").filter(({ messages }) => messages > 0);
  if (full.length === 0 || overwrite) return undefined;
  const names = full.map(({ name }) => name).join(", ");
  return `This system has data in ${names}. --overwrite replaces it by that of the backup; make a backup of it first.`;
}

function namePrefix(prefix: string): string {
  return prefix === "" ? "without a prefix" : `with the prefix ${prefix}`;
}

/**
 * Restores every stream and bucket of a checked backup, one after another. `done` is called after each. If it fails or is
 * killed in between, one of them may be missing: it can be repeated. Throws CommandError, CopyError, or the signal's reason.
 */
export async function restoreBackup(
  admin: Admin,
  {
    path,
    backup,
    done,
  }: { readonly path: string; readonly backup: CheckedBackup; readonly done: (name: StoreName) => void },
  signal: AbortSignal,
): Promise<void> {
  for (const store of backup.stores) {
    try {
      await replace(admin, path, store, signal);
    } catch (cause) {
      if (signal.aborted) throw cause;
      const { message } = cause as Error;
      throw new CommandError(`The restore is incomplete: ${message}. Repeat it with --overwrite.`, { cause });
    }
    done(store.name);
  }
}

async function replace(admin: Admin, path: string, store: FoundStore, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await admin.remove(store.name);
    try {
      return await admin.restore(store.name, store.copy, readPieces(path, store), signal);
    } catch (error) {
      if (!(error instanceof CopyError) || attempt === attempts) throw error;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}
