import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const program = "apps/simulator/dist/device.js";
// Far beyond what any of it takes: only for a test that fails, so that it says what came instead.
const patienceMs = 25_000;

/** One JSON message of the device or the server. */
export type Message = Readonly<Record<string, unknown>>;

/** A line of `npm run device -- --script`; its help describes them. */
export interface Line {
  readonly t: number;
  readonly got?: string;
  readonly message?: Message;
  readonly sent?: Message;
  readonly did?: Message;
  readonly problem?: string;
  readonly played?: boolean;
  readonly code?: number;
  readonly reason?: string;
}

/** The simulated device, a process of its own that is told what to do line by line. */
export interface ScriptedDevice {
  /** Everything it printed so far. */
  readonly lines: readonly Line[];
  /** Has one command done and resolves with its `did`; rejects when it could not be done. */
  do(command: Message): Promise<Line>;
  /** Resolves with the first fitting line after the one given last; rejects with what came when it is not there in time. */
  next(fits: (line: Line) => boolean): Promise<Line>;
  /** Resolves with every line after the one given last, up to `tts/stop`: one turn. */
  turn(): Promise<readonly Line[]>;
  /** Ends it as stock firmware ends, without a word, and waits for the process. */
  end(): Promise<void>;
}

/** Whether a line is a message of the server with these fields. */
export const isMessage =
  (fields: Message) =>
  ({ message }: Line): boolean =>
    message !== undefined && Object.entries(fields).every(([name, value]) => message[name] === value);

/** Whether a line is sound. */
export const isAudio = ({ got }: Line): boolean => got === "audio";

/**
 * What the server sent, by name and in order, sound that follows sound once: `stt`, `tts/start`, …, `audio`. Without pings
 * and calls of tools, which come when they will.
 */
export function nameMessages(lines: readonly Line[]): readonly string[] {
  const names = lines.flatMap(({ got, message }) => {
    if (got === undefined || got === "ping" || message?.["type"] === "mcp") return [];
    return [message === undefined ? got : [message["type"], message["state"]].filter(Boolean).join("/")];
  });
  return names.filter((name, at) => name !== "audio" || names[at - 1] !== "audio");
}

/** The sentences of the answer, as the device shows them. */
export function readSentences(lines: readonly Line[]): readonly unknown[] {
  return lines.filter(isMessage({ type: "tts", state: "sentence_start" })).map(({ message }) => message?.["text"]);
}

/** Starts a device and resolves when it has the server's hello. Further arguments are options of the program. */
export async function startDevice(url: string, id: string, ...args: readonly string[]): Promise<ScriptedDevice> {
  const child = spawn(process.execPath, [program, "--script", "--url", url, "--id", id, ...args], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  const tell = () => waiting.forEach((look) => look());
  let over = false;
  createInterface({ input: child.stdout })
    .on("line", (text) => {
      lines.push(JSON.parse(text) as Line);
      tell();
    })
    .on("close", () => {
      over = true;
      tell();
    });

  const find = async (from: number, fits: (line: Line) => boolean): Promise<number> => {
    const findAt = () => {
      const at = lines.slice(from).findIndex(fits);
      return at < 0 ? undefined : from + at;
    };
    const told = () => `of ${id}; it saw ${nameMessages(lines.slice(from)).join(", ") || "nothing"}`;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        waiting.delete(look);
        act();
      };
      const timer = setTimeout(() => settle(() => reject(new Error(`nothing like that came ${told()}`))), patienceMs);
      const look = () => {
        const at = findAt();
        if (at !== undefined) settle(() => resolve(at));
        else if (over) settle(() => reject(new Error(`the process ended ${told()}`)));
      };
      waiting.add(look);
      look();
    });
  };

  let cursor = 0;
  let commands = 0;
  const device: ScriptedDevice = {
    lines,
    async do(command) {
      // Commands are done in order, and a name makes each answer its own.
      const named = { ...command, number: (commands += 1) };
      child.stdin.write(`${JSON.stringify(named)}\n`);
      const isAnswer = (line: Line & { readonly command?: string }) =>
        line.did?.["number"] === named.number || (line.problem !== undefined && line.command === JSON.stringify(named));
      const line = lines[await find(0, isAnswer)]!;
      if (line.problem !== undefined) throw new Error(`${id} could not do ${JSON.stringify(command)}: ${line.problem}`);
      return line;
    },
    async next(fits) {
      const at = await find(cursor, fits);
      cursor = at + 1;
      return lines[at]!;
    },
    async turn() {
      const from = cursor;
      await device.next(isMessage({ type: "tts", state: "stop" }));
      return lines.slice(from, cursor);
    },
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exited;
    },
  };
  try {
    await device.next(isMessage({ type: "hello" }));
  } catch (error) {
    await device.end();
    throw error;
  }
  return device;
}
