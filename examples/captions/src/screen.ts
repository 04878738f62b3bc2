/** A terminal, a pipe or a file. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly writableLength: number;
  write(text: string): unknown;
  on(event: "error", listener: () => void): unknown;
}

/** Prints captions. In a terminal the last line may be a draft, which the next line replaces. */
export interface Screen {
  /** Prints a line for good. An empty text only removes the device's draft. */
  line(device: string, mark: string, text: string): void;
  /** Shows a text that may still change. Outside of a terminal it does nothing. */
  draft(device: string, text: string): void;
}

/** The most text that waits for a slow reader, in characters. Lines beyond it are left out. */
const maxWaiting = 1_048_576;
const deviceWidth = 17;
const { clear, dim, plain } = { clear: "\r\x1b[K", dim: "\x1b[2m", plain: "\x1b[0m" };

/** Creates a screen on an output. `closed` is called when the reader of the output is gone. */
export function createScreen(output: Output, closed: () => void): Screen {
  const isTerminal = output.isTTY === true;
  let drafted: string | undefined;
  let missed = 0;

  output.on("error", closed);
  const write = (text: string) => {
    if (output.writableLength > maxWaiting) {
      missed += 1;
      return;
    }
    if (missed > 0) output.write(`(${missed} captions left out: the output is too slow)\n`);
    missed = 0;
    output.write(text);
  };
  return {
    line(device, mark, text) {
      const isReplacing = drafted !== undefined && (text !== "" || drafted === device);
      const start = isReplacing ? clear : "";
      if (isReplacing) drafted = undefined;
      const shown = text === "" ? "" : `${device.padEnd(deviceWidth)} ${mark} ${clean(text)}\n`;
      if (start + shown !== "") write(start + shown);
    },
    draft(device, text) {
      if (!isTerminal) return;
      const head = `${device.padEnd(deviceWidth)} > `;
      // A draft that fills the line would wrap, and could not be replaced. Its end is the news.
      const room = Math.max(1, (output.columns ?? 80) - head.length - 1);
      write(`${clear}${dim}${head}${clean(text).slice(-room)}${plain}`);
      drafted = device;
    },
  };
}

/** Removes control characters, so that no text can command the terminal. */
function clean(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ").trim();
}
