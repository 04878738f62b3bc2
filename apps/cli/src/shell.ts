import { styleText } from "node:util";
import { exitCodes } from "./command.ts";
import type { ProcessShell } from "./run.ts";

/**
 * Opens this process as a shell. The first Ctrl-C lets the command end in order, a second one ends the process. A reader
 * that goes away, as in `| head`, ends it quietly.
 */
export function openShell(): ProcessShell {
  const { stdout, stderr, stdin, env } = process;
  const stop = new AbortController();
  const end = () => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort(new Error("interrupted"));
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(exitCodes.ok);
      if (stream === stdout) stderr.write(`voxbus: cannot write the output (${error.code ?? error.message})\n`);
      process.exit(exitCodes.failed);
    });
  }
  return {
    env,
    stdin,
    print: (line) => void stdout.write(`${line}\n`),
    write: (bytes) => void stdout.write(bytes),
    isTerminal: stdout.isTTY,
    tell: (line) => void stderr.write(`${line}\n`),
    paint: (color, text) => styleText(color, text, { stream: stdout }),
    signal: stop.signal,
  };
}
