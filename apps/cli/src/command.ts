import type { Readable } from "node:stream";
import type { Bus } from "@voxbus/bus";

/** Exit codes of `voxbus`. docs/cli.md has the same table. */
export const exitCodes = {
  /** The command did what it was asked. A command without an end of its own: its reader or Ctrl-C ended it. */
  ok: 0,
  /** It failed: NATS is away or does not permit it, a message is malformed, a device did not answer. */
  failed: 1,
  /** The command line or a variable is wrong. Nothing was done. */
  usage: 2,
  /** Ctrl-C ended it before it was done. */
  interrupted: 130,
} as const;

/** Thrown for a wrong command line. The message says what was expected. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Thrown when a command fails for a reason that its user can understand. The message is printed, without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/**
 * An option of a command. `value` is the name of its value in the help; an option without one is a switch. One with a comma, such
 * as `ID,ID`, takes a list.
 */
export interface Option {
  readonly meaning: string;
  readonly value?: string;
  /** The only values that it takes, which shells complete. */
  readonly choices?: readonly string[];
  /** Its value where it is not given. The help names it. */
  readonly fallback?: string;
}

export type Options = Readonly<Record<string, Option>>;

/** The values of options by name: a text, or true for a switch. */
export type Values<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends { readonly fallback: string }
    ? string
    : O[Name] extends { readonly value: string }
      ? string | undefined
      : boolean;
};

/** A command line that was read: the parameters in order, and the options. */
export interface Given<O extends Options> {
  readonly parameters: readonly string[];
  readonly options: Values<O>;
}

/** The surroundings of a running command. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** Writes a line to standard output. */
  print(line: string): void;
  /** Writes bytes to standard output. */
  write(bytes: Uint8Array): void;
  /** Measures the output that its reader has not taken yet, about in bytes. */
  waiting(): number;
  /** True when standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Writes a line for the user to standard error. */
  tell(line: string): void;
  /** Colors a text where standard output shows colors: in a terminal, unless NO_COLOR is set. */
  paint(color: Color, text: string): string;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborted when the reader of standard output goes away, as `head` does. What is written then is discarded. */
  readonly readerGone: AbortSignal;
  /**
   * Connects to the bus with the variables of every program. The connection is closed after the command. Throws
   * CommandError when NATS cannot be reached, ConfigError when a variable is wrong.
   */
  connect(): Promise<Bus>;
}

/** The colors of the output. */
export type Color = "red" | "dim" | "green" | "yellow" | "blue" | "magenta" | "cyan";

/** One command of `voxbus`. */
export interface Command<O extends Options = Options> {
  readonly name: string;
  /** One line for the list of commands: a verb in the third person, without a period. */
  readonly summary: string;
  /** The names of its parameters. One in square brackets may be left out. */
  readonly parameters?: readonly string[];
  /** The only values of its first parameter, which shells complete. */
  readonly choices?: readonly string[];
  readonly options: O;
  /** More lines for its help: examples and what is worth knowing. */
  readonly details?: string;
  /** Runs it. Resolves with an exit code; default 0. Throws UsageError or CommandError. */
  readonly run: (given: Given<O>, shell: Shell) => Promise<number | void>;
}

/** Types a command by its options. */
export function command<const O extends Options>(given: Command<O>): Command {
  return given as unknown as Command;
}
