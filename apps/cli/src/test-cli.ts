import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Command } from "./command.ts";
import { commands } from "./commands/index.ts";
import { runCommandLine } from "./run.ts";

/** The program, as it is installed. */
export const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** The end of a run of `voxbus`. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `voxbus`. */
export interface RunningCli {
  /** Resolves when standard output holds text that matches. Rejects if the process ends first. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same for standard error. */
  told(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output has at least this number of bytes. */
  received(size: number): Promise<true>;
  /** Closes our end of its standard output, as `head` does when it has seen enough. */
  deafen(): void;
  /** Stops to read its standard output, or goes on. */
  stall(isStalled: boolean): void;
  readonly bytes: () => Buffer;
  readonly ended: Promise<CliResult>;
}

/**
 * Starts `voxbus` as a process with these arguments, and variables besides its own environment's PATH. It ends with the
 * test at the latest.
 */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: string | Uint8Array = "",
): RunningCli {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env["PATH"], ...env } });
  const chunks: Buffer[] = [];
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  child.stdout.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    text.stdout += chunk.toString("utf8");
    for (const look of watchers) look();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.stderr += chunk;
    for (const look of watchers) look();
  });
  child.stdin.on("error", () => undefined); // it may end before it has read everything
  child.stdin.end(input);
  const killWithUs = () => void child.kill("SIGKILL");
  process.once("exit", killWithUs);
  onTestFinished(killWithUs);
  const ended = new Promise<CliResult>((resolve) => {
    child.once("close", (code) => {
      process.off("exit", killWithUs);
      resolve({ code, ...text });
    });
  });
  const bytes = () => Buffer.concat(chunks);
  const wait = <T>(find: () => T | undefined, what: string) =>
    new Promise<T>((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
      void ended.then(() => reject(new Error(`voxbus ended without ${what}:\n${text.stdout}${text.stderr}`)));
    });
  return {
    printed: (pattern) => wait(() => pattern.exec(text.stdout) ?? undefined, String(pattern)),
    told: (pattern) => wait(() => pattern.exec(text.stderr) ?? undefined, String(pattern)),
    received: (size) => wait(() => bytes().byteLength >= size || undefined, `${size} bytes`),
    kill: (signal) => void child.kill(signal),
    deafen: () => void child.stdout.destroy(),
    stall: (isStalled) => void (isStalled ? child.stdout.pause() : child.stdout.resume()),
    bytes,
    ended,
  };
}

/** Runs `voxbus` to its end. */
export async function runCli(...given: Parameters<typeof startCli>): Promise<CliResult> {
  return startCli(...given).ended;
}

/** Runs `voxbus` to its end in this process, which takes a fraction of the time. */
export async function runCliHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: string | Uint8Array = "",
  { signal = new AbortController().signal, list = commands }: { signal?: AbortSignal; list?: readonly Command[] } = {},
): Promise<CliResult> {
  const output = { stdout: "", stderr: "" };
  const code = await runCommandLine(list, args, {
    env: { PATH: process.env["PATH"], ...env },
    stdin: Readable.from([Buffer.from(input)]),
    print: (line) => void (output.stdout += `${line}\n`),
    write: (bytes) => void (output.stdout += Buffer.from(bytes).toString("latin1")),
    waiting: () => 0,
    isTerminal: false,
    tell: (line) => void (output.stderr += `${line}\n`),
    paint: (_color, text) => text,
    signal,
    readerGone: new AbortController().signal,
  });
  return { code, ...output };
}
