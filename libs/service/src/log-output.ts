import { fstatSync } from "node:fs";
import { pino } from "pino";

/** Most bytes of log lines that wait for a reader or a disk. */
const maxWaitingBytes = 1_048_576;
const endMs = 500;

/** Standard output as the log uses it. It never waits and never throws. */
export interface LogOutput {
  /** Writes a line, or drops it if too many bytes wait or the output fails. */
  write(line: string): void;
  /** Number of lines that were dropped so far. */
  dropped(): number;
  /** Ends the output, for the end of the process. Resolves when all lines are written, after 500 ms at most. */
  end(): Promise<void>;
}

function openOutput(): LogOutput {
  let dropped = 0;
  const drop = () => void (dropped += 1);
  if (fstatSync(1).isFile()) {
    // Node writes to files synchronously: a slow disk would stop the process.
    const file = pino.destination({ dest: 1, sync: false, maxLength: maxWaitingBytes });
    file.on("drop", drop);
    file.on("error", drop);
    let ended = false;
    return {
      write: (line) => void (ended ? drop() : file.write(line)),
      dropped: () => dropped,
      end: () =>
        new Promise((resolve) => {
          setTimeout(resolve, endMs);
          file.once("error", () => resolve());
          file.once("close", () => resolve());
          if (!ended) file.end();
          ended = true;
        }),
    };
  }
  const { stdout } = process;
  stdout.on("error", drop);
  return {
    write: (line) => void (stdout.writableLength > maxWaitingBytes ? drop() : stdout.write(line)),
    dropped: () => dropped,
    end: () =>
      new Promise((resolve) => {
        setTimeout(resolve, endMs);
        stdout.write("", () => resolve());
      }),
  };
}

let output: LogOutput | undefined;

/** The one log output of this process. */
export function logOutput(): LogOutput {
  return (output ??= openOutput());
}
