import { styleText } from "node:util";
import { exitCodes } from "./command.ts";
import type { ProcessShell } from "./run.ts";

/**
 * Opens this process as a shell. The first Ctrl-C lets the command end in order, a second one ends the process. Output whose
 * reader has gone away, as in `| head`, is discarded. Output that cannot be written ends the command in order, and sets the exit
 * code of the process.
 */
export function openShell(): ProcessShell {
  const { stdout, stderr, stdin, env } = process;
  const stop = new AbortController();
  const readerGone = new AbortController();
  const end = () => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort(new Error("interrupted"));
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (readerGone.signal.aborted) return;
    readerGone.abort();
    if (code === "EPIPE") return;
    process.exitCode = exitCodes.failed;
    stderr.write(`voxbus: cannot write the output (${code ?? message})\n`);
    stop.abort(new Error("output failed"));
  });
  stderr.on("error", () => undefined); // there is no one left to tell
  return {
    env,
    stdin,
    print: (line) => void (readerGone.signal.aborted || stdout.write(`${line}\n`)),
    write: (bytes) => void (readerGone.signal.aborted || stdout.write(bytes)),
    waiting: () => stdout.writableLength,
    isTerminal: stdout.isTTY,
    tell: (line) => void stderr.write(`${line}\n`),
    paint: (color, text) => styleText(color, text, { stream: stdout }),
    signal: stop.signal,
    readerGone: readerGone.signal,
  };
}
