import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const program = "apps/simulator/dist/device.js";
// Far longer than any step takes, so that only a failing test waits for it and shows the received messages.
const patienceMs = 25_000;

/** A JSON message of the device or the server. */
export type Message = Readonly<Record<string, unknown>>;

/** A line of `npm run device -- --script`; its help describes the fields. */
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

/** The simulated device in its own process, which takes commands line by line. */
export interface ScriptedDevice {
  /** Everything printed so far. */
  readonly lines: readonly Line[];
  /** Runs a command and resolves with its `did`. Rejects if the command fails. */
  do(command: Message): Promise<Line>;
  /** Resolves with the first fitting line after the last returned one. Rejects with the received lines if it is late. */
  next(fits: (line: Line) => boolean): Promise<Line>;
  /** Resolves with all lines after the last returned one, up to `tts/stop`: one turn. */
  turn(): Promise<readonly Line[]>;
  /** Disconnects without a Close frame, as stock firmware does, and waits for the end of the process. */
  end(): Promise<void>;
}

/** Makes a test for a message of the server with these fields. */
export const isMessage =
  (fields: Message) =>
  ({ message }: Line): boolean =>
    message !== undefined && Object.entries(fields).every(([name, value]) => message[name] === value);

/** Tests a line for audio. */
export function isAudio({ got }: Line): boolean {
  return got === "audio";
}

/**
 * Names the messages of the server in order: `stt`, `tts/start`, …, with `audio` once for consecutive packets. Pings and tool
 * calls are left out, since they may come at any time. So are the notice that the system is busy, which depends on what else
 * the machine does, and its sound, which comes before the answer's first sentence.
 */
export function nameMessages(lines: readonly Line[]): readonly string[] {
  const isNotice = isMessage({ type: "alert", status: "Wait" });
  const answerAt = lines.some(isNotice) ? lines.findIndex(isMessage({ type: "tts", state: "sentence_start" })) : 0;
  const others = lines.filter((line, at) => !isNotice(line) && !(isAudio(line) && at < answerAt));
  const names = others.flatMap(({ got, message }) => {
    if (got === undefined || got === "ping" || message?.["type"] === "mcp") return [];
    return [message === undefined ? got : [message["type"], message["state"]].filter(Boolean).join("/")];
  });
  return names.filter((name, at) => name !== "audio" || names[at - 1] !== "audio");
}

/** The messages of a turn with one sentence, as `nameMessages` names them. */
export const oneSentenceTurn = ["stt", "tts/start", "llm", "tts/sentence_start", "audio", "tts/stop"];

/** Lists the sentences that the device shows. */
export function readSentences(lines: readonly Line[]): readonly unknown[] {
  return lines.filter(isMessage({ type: "tts", state: "sentence_start" })).map(({ message }) => message?.["text"]);
}

/** Starts a device and waits for the server's hello, or with `--mqtt` only until it runs. `args` are further options of the program. */
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
      const timer = setTimeout(() => settle(() => reject(new Error(`no such line came ${told()}`))), patienceMs);
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
      // A number tells the answers to equal commands apart.
      const named = { ...command, number: (commands += 1) };
      child.stdin.write(`${JSON.stringify(named)}\n`);
      const isAnswer = (line: Line & { readonly command?: string }) =>
        line.did?.["number"] === named.number || (line.problem !== undefined && line.command === JSON.stringify(named));
      const line = lines[await find(0, isAnswer)]!;
      if (line.problem !== undefined) throw new Error(`${id} failed at ${JSON.stringify(command)}: ${line.problem}`);
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
    await awaitStart(device, args);
  } catch (error) {
    await device.end();
    throw error;
  }
  return device;
}

/** Waits for the server's hello. A device over MQTT says none until its user acts. */
async function awaitStart(device: ScriptedDevice, args: readonly string[]): Promise<void> {
  if (args.includes("--mqtt")) await device.do({ do: "sleep", ms: 0 });
  else await device.next(isMessage({ type: "hello" }));
}
