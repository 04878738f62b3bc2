import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { defaultPorts, parseDeviceId, type FramingVersion, type ListenMode } from "@voxbus/protocol";
import type { Identity } from "./connection.ts";
import { mcpShapeNames, type McpShape } from "./mcp-shapes.ts";
import { noiseNames, type Noise } from "./noise.ts";
import type { BoardKey } from "./ota.ts";
import type { Quirks } from "./quirks.ts";

/** Something that the user does, in the order of the command line. */
export type Input =
  { readonly wav: string } | { readonly text: string } | { readonly noise: Noise } | { readonly wake: string };

/** The command line of `npm run device`. */
export interface DeviceCommand {
  readonly identity: Identity;
  readonly mode: ListenMode;
  readonly ota: string | undefined;
  /** True if it waits until it is activated. */
  readonly activate: boolean;
  readonly board: BoardKey | undefined;
  readonly inputs: readonly Input[];
  /** The WAV file for the answer; undefined if a script asked for none. */
  readonly out: string | undefined;
  readonly timeoutMs: number;
  readonly quirks: Quirks & { readonly noTools: boolean };
  readonly mcp: McpShape;
  /** The options of a script; undefined without `--script`. */
  readonly script: { readonly hex: boolean } | undefined;
}

/** An invalid command line; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The URL of a gateway on the same machine. */
export const defaultUrl = `ws://127.0.0.1:${defaultPorts.gateway.device}/xiaozhi/v1/`;

const defaultOta = `http://127.0.0.1:${defaultPorts.gateway.device}/xiaozhi/ota/`;
/** The URL of a gateway on the same machine that takes MQTT. */
export const defaultMqttUrl = "mqtt://127.0.0.1:1883";

const helpWidth = 100;

/** Lists words in indented lines. */
function wrap(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length > helpWidth) lines.push(`${" ".repeat(20)}${word}`);
    else lines[lines.length - 1] = `${line}, ${word}`;
  }
  return lines.join(",\n");
}

/** The manual of `npm run device`. */
export const deviceHelp = `Talks to a voxbus server as a stock device does, in real time.

  npm run device -- --wav samples/time.wav        say a recording and hear the answer
  npm run device -- --text "tell me a joke"       type instead; give several --wav and --text to send them in turn
  npm run device                                  type line by line; an empty line interrupts, Ctrl-D ends
  npm run device -- --wake "Hi, ESP" --wav samples/time.wav --noise slams

It has the states of stock firmware 2.4. It listens again after each answer, except in manual mode. Its microphone is off
while it speaks, except in realtime mode. It keeps streaming after a Close frame.

  --url URL         the server (${defaultUrl})
  --mqtt            connect over MQTT, and be idle until the user acts; the server is then ${defaultMqttUrl}
  --ota [URL]       get the server's URL, token and framing from this OTA address, as a booting device does
                    (${defaultOta})
  --activate        with --ota: wait until the device is activated, as a booting device does
  --serial S --key HEX   the serial number of the board and its key, with which it proves who it is
  --id ID           device id: a MAC address or any of A-Z a-z 0-9 : _ - (default: derived from this machine's name)
  --token TOKEN     bearer token
  --protocol 1|2|3  binary framing (1)
  --mode MODE       auto (the server finds the end of speech), manual (the device sends it), or realtime (auto)
  --wake WORD       begin to talk by a wake word, with its audio in front
  --noise KIND      make a noise that is not speech, and check that nothing comes of it within 3 s:
                    ${noiseNames.join(", ")}
  --mcp SHAPE       answer MCP requests as other devices do (stock):
${wrap(mcpShapeNames)}
  --reconnect WHEN  after the end of a connection: "use" connects when the user acts, as stock firmware does,
                    "always" after 5 s, as Espressif's component does (without the option, the program ends)
  --no-tools        announce no MCP tools
  --no-relisten     be idle after each answer
  --no-wake-audio   send listen/start alone after a wake word, as small boards do
  --no-pong         leave pings unanswered
  --answer-close    answer a Close frame, as browsers do
  --out FILE        WAV file for the sound of the answer (answer.wav)
  --timeout S       longest wait for a message, in seconds (20)
  --script          JSON lines: commands on stdin, events on stdout, see below
  --help

Exit code: 0 if every input was answered with sound, otherwise 1.

With --script each line of stdin is a command. They run in order. Each line of stdout has "t", ms since the epoch.
  {"do":"listen","mode":"auto"}      begin to talk (default: --mode); the microphone then sends silence
  {"do":"wav","file":"a.wav"}        say it in real time, until its last frame is sent. Begins to talk if it is idle, and
                                     waits until the microphone is on. "wait":false says it in the background;
                                     "burst":true sends all frames at once in any state
  {"do":"noise","kind":"slams"}      the same with a noise
  {"do":"wake","text":"Hi, ESP"}     the user says the wake word; "file":"a.wav" is its audio
  {"do":"button"}                    the user pushes the button that toggles: it hangs up, or aborts an answer
  {"do":"press"}  {"do":"stop"}      push to talk: the user presses and releases the button
  {"do":"text","text":"hello"}       listen/detect
  {"do":"abort","reason":"..."}      send abort in any state; the reason is optional
  {"do":"hello"}                     hello, again or for the first time after --no-hello
  {"do":"raw","text":"{oops"}        send a text frame as it is
  {"do":"binary","hex":"00ff"}       send a binary message as it is
  {"do":"wait","for":{"type":"tts","state":"stop"},"ms":20000}   wait for a message with these fields since
                                     the previous command; {"got":"audio"} and {"got":"close"} wait for those
  {"do":"sleep","ms":100}
  {"do":"save","file":"a.wav"}       write the sound since the last save
  {"do":"pause"}  {"do":"resume"}    stop reading the socket, and read again
  {"do":"close","how":"drop"}        disconnect as stock firmware does; "frame" sends a Close frame, "goodbye" a goodbye first
Printed:
  {"t":..,"got":"json","message":{..}}          {"t":..,"got":"audio","bytes":160,"ms":60,"played":true}
  {"t":..,"got":"bad","problem":".."}           {"t":..,"got":"ping"}
  {"t":..,"got":"close","code":1000,"reason":".."}   {"t":..,"got":"refused","status":401,"problem":".."}
  {"t":..,"sent":{..}}  each JSON message sent  {"t":..,"did":{..}}  a command that ended ("wav" adds "speechEnd", "complete")
  {"t":..,"problem":"..","command":".."}        a command that failed; the next one follows
The device disconnects after the last command. Exit code 1 if there was a problem or a refusal.
  --no-hello        send no hello by itself
  --hex             print binary messages in full
`;

const options = {
  url: { type: "string" },
  mqtt: { type: "boolean", default: false },
  ota: { type: "string" },
  activate: { type: "boolean", default: false },
  serial: { type: "string" },
  key: { type: "string" },
  id: { type: "string" },
  token: { type: "string" },
  protocol: { type: "string", default: "1" },
  mode: { type: "string", default: "auto" },
  wav: { type: "string", multiple: true },
  text: { type: "string", multiple: true },
  wake: { type: "string", multiple: true },
  noise: { type: "string", multiple: true },
  out: { type: "string" },
  timeout: { type: "string", default: "20" },
  script: { type: "boolean", default: false },
  "no-hello": { type: "boolean", default: false },
  "no-tools": { type: "boolean", default: false },
  "no-pong": { type: "boolean", default: false },
  "no-relisten": { type: "boolean", default: false },
  "no-wake-audio": { type: "boolean", default: false },
  "answer-close": { type: "boolean", default: false },
  reconnect: { type: "string" },
  mcp: { type: "string", default: "stock" },
  hex: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsConfig["options"];

/** Reads a command line; undefined if it asks for help. Throws `UsageError` with the option and its values. */
export function readDeviceCommand(args: readonly string[]): DeviceCommand | undefined {
  const { values, tokens } = parseOptions(args);
  if (values.help) return undefined;
  const inputs = tokens.flatMap((token) => {
    return token.kind === "option" && token.value !== undefined ? readInput(token.name, token.value) : [];
  });
  if (values.script && inputs.length > 0)
    throw new UsageError("--script takes its inputs from stdin, not from --wav, --text, --wake or --noise");
  if (values.activate && values.ota === undefined) throw new UsageError("--activate needs --ota");
  const id = readId(values.id ?? machineId());
  const { reconnect } = values;
  return {
    identity: {
      url: readServer(values.url, values.mqtt),
      id,
      clientId: uuidOf(id),
      token: values.token,
      protocol: Number(readChoice(values.protocol, "--protocol", ["1", "2", "3"])) as FramingVersion,
    },
    ota: values.ota === undefined ? undefined : readUrl(values.ota, "--ota", ["http:", "https:"]),
    activate: values.activate,
    board: readBoard(values),
    mode: readChoice(values.mode, "--mode", ["auto", "manual", "realtime"]),
    inputs,
    out: values.out ?? (values.script ? undefined : "answer.wav"),
    timeoutMs: readNumber(values.timeout, "--timeout", { least: 1, most: 3600 }) * 1000,
    quirks: {
      noHello: values["no-hello"],
      noPong: values["no-pong"],
      noTools: values["no-tools"],
      noRelisten: values["no-relisten"],
      noWakeAudio: values["no-wake-audio"],
      answerClose: values["answer-close"],
      reconnect: reconnect === undefined ? undefined : readChoice(reconnect, "--reconnect", ["use", "always"] as const),
    },
    mcp: readChoice(values.mcp, "--mcp", mcpShapeNames),
    script: values.script ? { hex: values.hex } : undefined,
  };
}

function readBoard({ serial, key }: { readonly serial?: string; readonly key?: string }): BoardKey | undefined {
  if (serial === undefined && key === undefined) return undefined;
  if (serial === undefined || !/^([0-9a-f]{2}){16,64}$/i.test(key ?? ""))
    throw new UsageError("--serial and --key go together; --key is 32 to 128 hexadecimal digits.");
  return { serial, key: key ?? "" };
}

function readInput(name: string, value: string): readonly Input[] {
  if (name === "wav") return [{ wav: value }];
  if (name === "text") return [{ text: value }];
  if (name === "wake") return [{ wake: value }];
  return name === "noise" ? [{ noise: readChoice(value, "--noise", noiseNames) }] : [];
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: args.map(fillOta), options, tokens: true });
  } catch (cause) {
    throw new UsageError(describeParseError(cause), { cause });
  }
}

/** Writes the address of a gateway on the same machine behind an `--ota` that stands alone. */
function fillOta(arg: string, index: number, args: readonly string[]): string {
  const isAlone = arg === "--ota" && (args[index + 1] ?? "--").startsWith("--");
  return isAlone ? `${arg}=${defaultOta}` : arg;
}

/** Shortens an error of node:util's parseArgs to its first sentence and points to --help. */
export function describeParseError(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return `${message.split(/\.\s/, 1)[0]?.replace(/\.$/, "")}. --help lists the options.`;
}

/** Returns the choice. Throws a `UsageError` that names the choices. */
export function readChoice<T extends string>(value: string, option: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new UsageError(`${option} is one of ${choices.join(", ")}, not "${value}".`);
  return choice;
}

/** Reads a number from `least` to `most`. Throws a `UsageError` that names both. */
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

/** Returns a URL of one of the schemes. Throws a `UsageError` that names them. */
export function readUrl(value: string, option: string, schemes: readonly string[]): string {
  if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) {
    throw new UsageError(
      `${option} is a URL that begins with ${schemes.map((s) => `${s}//`).join(" or ")}, not "${value}".`,
    );
  }
  return value;
}

/** Returns the URL of a server, of the schemes of WebSocket or MQTT. Throws a `UsageError` that names them. */
export function readServer(url: string | undefined, mqtt: boolean): string {
  return mqtt
    ? readUrl(url ?? defaultMqttUrl, "--url", ["mqtt:", "mqtts:"])
    : readUrl(url ?? defaultUrl, "--url", ["ws:", "wss:"]);
}

/** Derives a device's Client-Id from its id: always the same UUID for the same id. */
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
