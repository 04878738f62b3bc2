import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { defaultPorts, parseDeviceId, type FramingVersion, type ListenMode } from "@voxbus/protocol";
import type { Identity } from "./connection.ts";

/** What is to be said, in the order of the command line. */
export type Input = { readonly wav: string } | { readonly text: string };

/** The command line of `npm run device`, read. */
export interface DeviceCommand extends Identity {
  readonly mode: ListenMode;
  readonly ota: string | undefined;
  readonly inputs: readonly Input[];
  /** The WAV file for the answer; undefined where a script asked for none. */
  readonly out: string | undefined;
  readonly patienceMs: number;
  readonly script: boolean;
  readonly sayHello: boolean;
  readonly answerPings: boolean;
  readonly tools: boolean;
  readonly listenAgain: boolean;
  readonly hex: boolean;
}

/** A command line that cannot be read; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The URL that a device on the same machine connects to. */
export const defaultUrl = `ws://127.0.0.1:${defaultPorts.gateway.device}/xiaozhi/v1/`;

/** The manual of `npm run device`. */
export const deviceHelp = `Speaks to a voxbus server as a stock device does, in real time.

  npm run device -- --wav samples/time.wav        say a recording, hear the answer
  npm run device -- --text "tell me a joke"       type instead; several --wav and --text are said in turn
  npm run device                                  type line by line; an empty line interrupts, Ctrl-D ends

  --url URL         the server (${defaultUrl})
  --ota URL         ask this OTA address for the server's URL, token and framing, as a device does when it boots
  --id ID           device id, MAC-shaped or any of A-Z a-z 0-9 : _ - (default: one made from this machine's name)
  --token TOKEN     bearer token
  --protocol 1|2|3  binary framing (1)
  --mode MODE       auto (the server finds the end of speech), manual (the device tells), realtime (auto)
  --out FILE        where the answer's sound goes, as WAV (answer.wav)
  --timeout S       seconds to wait when nothing comes (20)
  --script          JSON lines: commands on stdin, everything received on stdout, see below
  --help

Exit code: 0 when everything said was answered with sound, 1 when not.

With --script each line of stdin is a command; they are done in order. Each line of stdout has "t", ms since the epoch.
  {"do":"listen","mode":"auto"}      listen/start (mode as above when left out); the microphone sends silence from now on
  {"do":"wav","file":"a.wav"}        say it in real time; done when its last frame was sent. Listens first if need be, and
                                     in auto mode waits for the end of an answer. "wait":false goes on in the background,
                                     "burst":true sends all frames at once whatever the state (a buffered wake word)
  {"do":"stop"}                      listen/stop, the button is released
  {"do":"text","text":"hello"}       listen/detect
  {"do":"abort","reason":"..."}      abort; the reason may be left out
  {"do":"hello"}                     hello (again, or for the first time after --no-hello)
  {"do":"raw","text":"{oops"}        a text frame as it is
  {"do":"binary","hex":"00ff"}       a binary message as it is
  {"do":"wait","for":{"type":"tts","state":"stop"},"ms":20000}   until a message with these fields came since the
                                     command before, {"got":"audio"} and {"got":"close"} wait for those
  {"do":"sleep","ms":100}
  {"do":"save","file":"a.wav"}       write the sound heard since the last save
  {"do":"pause"}  {"do":"resume"}    stop and go on reading the socket
  {"do":"close","how":"drop"}        end as stock firmware does; "frame" sends a Close frame
Printed:
  {"t":..,"got":"json","message":{..}}          {"t":..,"got":"audio","bytes":160,"ms":60,"played":true}
  {"t":..,"got":"bad","problem":".."}           {"t":..,"got":"ping"}
  {"t":..,"got":"close","code":1000,"reason":".."}   {"t":..,"got":"refused","status":401,"problem":".."}
  {"t":..,"sent":{..}}  each JSON message sent  {"t":..,"did":{..}}  a command was done ("wav" adds "speechEnd", "complete")
  {"t":..,"problem":"..","command":".."}        a command that could not be done; the next one follows
The end of stdin ends the device after the last command. Exit code 1 if there was a problem or a refusal.
  --no-hello        do not say hello by itself    --no-tools   announce no MCP tools
  --no-pong         leave pings unanswered        --relisten   listen again after each answer, as stock firmware does
  --hex             print binary messages in full
`;

const options = {
  url: { type: "string", default: defaultUrl },
  ota: { type: "string" },
  id: { type: "string" },
  token: { type: "string" },
  protocol: { type: "string", default: "1" },
  mode: { type: "string", default: "auto" },
  wav: { type: "string", multiple: true },
  text: { type: "string", multiple: true },
  out: { type: "string" },
  timeout: { type: "string", default: "20" },
  script: { type: "boolean", default: false },
  "no-hello": { type: "boolean", default: false },
  "no-tools": { type: "boolean", default: false },
  "no-pong": { type: "boolean", default: false },
  relisten: { type: "boolean", default: false },
  hex: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsConfig["options"];

/** Reads a command line; undefined when it asks for help. Throws `UsageError` naming the option and what it takes. */
export function readDeviceCommand(args: readonly string[]): DeviceCommand | undefined {
  const { values, tokens } = parseOptions(args);
  if (values.help) return undefined;
  const inputs = tokens.flatMap((token): Input[] => {
    if (token.kind !== "option" || token.value === undefined) return [];
    if (token.name === "wav") return [{ wav: token.value }];
    return token.name === "text" ? [{ text: token.value }] : [];
  });
  if (values.script && inputs.length > 0)
    throw new UsageError("--script takes what is said from stdin, not --wav or --text");
  const id = readId(values.id ?? machineId());
  return {
    url: readUrl(values.url, "--url", ["ws:", "wss:"]),
    ota: values.ota === undefined ? undefined : readUrl(values.ota, "--ota", ["http:", "https:"]),
    id,
    clientId: uuidOf(id),
    token: values.token,
    protocol: Number(readChoice(values.protocol, "--protocol", ["1", "2", "3"])) as FramingVersion,
    mode: readChoice(values.mode, "--mode", ["auto", "manual", "realtime"]),
    inputs,
    out: values.out ?? (values.script ? undefined : "answer.wav"),
    patienceMs: readNumber(values.timeout, "--timeout", { least: 1, most: 3600 }) * 1000,
    script: values.script,
    sayHello: !values["no-hello"],
    answerPings: !values["no-pong"],
    tools: !values["no-tools"],
    listenAgain: values.relisten,
    hex: values.hex,
  };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, tokens: true });
  } catch (cause) {
    throw new UsageError(describeParseError(cause), { cause });
  }
}

/** The first sentence of what node:util's parseArgs has to say, with a pointer to the manual. */
export function describeParseError(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return `${message.split(/\.\s/, 1)[0]?.replace(/\.$/, "")}. --help lists the options.`;
}

/** One of `choices`, or a `UsageError` naming them. */
export function readChoice<T extends string>(value: string, option: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new UsageError(`${option} is one of ${choices.join(", ")}, not "${value}".`);
  return choice;
}

/** A number between `least` and `most`, or a `UsageError` naming both. */
export function readNumber(
  value: string,
  option: string,
  { least, most, whole = false }: { readonly least: number; readonly most: number; readonly whole?: boolean },
): number {
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!(number >= least && number <= most) || (whole && !Number.isInteger(number))) {
    throw new UsageError(`${option} is a ${whole ? "whole " : ""}number from ${least} to ${most}, not "${value}".`);
  }
  return number;
}

/** A URL of one of the schemes, or a `UsageError`. */
export function readUrl(value: string, option: string, schemes: readonly string[]): string {
  if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) {
    throw new UsageError(
      `${option} is a URL that begins with ${schemes.map((s) => `${s}//`).join(" or ")}, not "${value}".`,
    );
  }
  return value;
}

/** A UUID that is always the same for a device id: what a device keeps as its Client-Id. */
export function uuidOf(id: string): string {
  const hex = createHash("sha256").update(`voxbus device ${id}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function readId(raw: string): string {
  try {
    return parseDeviceId(raw);
  } catch (cause) {
    throw new UsageError(`--id is 1 to 64 characters of A-Z a-z 0-9 : _ -, not "${raw}".`, { cause });
  }
}

function machineId(): string {
  const hex = createHash("sha256")
    .update(`${hostname()} ${process.getuid?.() ?? 0}`)
    .digest("hex");
  return ["02", ...hex.slice(0, 10).match(/../g)!].join(":");
}
