import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The exit code of a start that found its system running already. */
export const runningCode = 3;

/** Thrown when the ports of a start are those of a system that runs from this folder. */
export class RunningError extends Error {
  name = "RunningError";
}

/**
 * The note of a running system, in the folder's cache: its process, and its ports. It is removed when this process exits. A
 * folder that cannot be written to has no notes.
 */
export function noteRunning(cache, ports) {
  const folder = folderOf(cache);
  const path = join(folder, `${process.pid}.json`);
  const write = (note) => {
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, JSON.stringify({ pid: process.pid, ...note }));
    } catch {
      // A second start then only names the ports that are taken.
    }
  };
  write({ ports });
  process.once("exit", () => rmSync(path, { force: true }));
  return {
    /** Adds the addresses, when the system is ready. */
    ready: (addresses) => write({ ports: portsOf(addresses, ports), addresses }),
  };
}

function portsOf(addresses, ports) {
  return [...new Set([...ports, ...addresses.map((address) => Number(new URL(address).port))])];
}

/** Finds the system that runs from this folder and has one of these ports. Undefined without one. */
export function findRunning(cache, ports) {
  const wanted = ports.filter((port) => port !== 0);
  return listNotes(folderOf(cache)).find((note) => note.ports.some((port) => wanted.includes(port)));
}

function folderOf(cache) {
  return join(cache, "running");
}

function listNotes(folder) {
  let files;
  try {
    files = readdirSync(folder);
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    const path = join(folder, file);
    try {
      const note = JSON.parse(readFileSync(path, "utf8"));
      if (isAlive(note.pid)) return [note];
      rmSync(path, { force: true });
    } catch {
      // It is being written, or belongs to another user.
    }
    return [];
  });
}

/** A process of another user may not be signalled, but lives. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Says that a system runs already, where it is, and what can be done. */
export function describeRunning({ pid, ports, addresses = [] }) {
  const where = addresses.length > 0 ? addresses.join(", ") : `ports ${ports.filter(Boolean).join(", ")}`;
  return (
    `it is already running in this folder, as process ${pid}: ${where}\n` +
    `To stop it, press Ctrl-C in its terminal, or use kill ${pid}. To run another one beside it, set the ports to 0 or to others ` +
    "(npm start -- --help)"
  );
}
