import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { OpusPacketError, readOpusPacket } from "@voxbus/audio";
import { ListenMode, ServerHello } from "@voxbus/protocol";
import { ConnectionError } from "./connection.ts";
import type { DeviceClient, DeviceEvent, DeviceOptions } from "./client.ts";
import { connectDevice } from "./device-client.ts";
import { readChoice } from "./device-options.ts";
import type { JsonObject } from "./device-tools.ts";
import { readClock } from "./microphone.ts";
import { makeNoise, noiseNames } from "./noise.ts";
import { createSpeaker, type Speaker } from "./speaker.ts";
import { loadUtterance, type Utterance } from "./utterance.ts";

/** A device and the streams of its script. `npm run device -- --help` describes the lines. */
export interface ScriptOptions {
  readonly device: DeviceOptions;
  /** The WAV file for all sound, or undefined. */
  readonly out: string | undefined;
  /** The default of `wait`, in ms. */
  readonly timeoutMs: number;
  /** Prints binary messages in full. */
  readonly hex: boolean;
  readonly input: Readable;
  readonly output: Writable;
}

interface Context {
  readonly client: DeviceClient;
  readonly speaker: () => Speaker;
  readonly print: (line: JsonObject) => void;
  /** Resolves with the next event since the previous command that fits. Rejects after `ms`. */
  waitFor(wanted: JsonObject, ms: number): Promise<void>;
  readonly timeoutMs: number;
}

type Command = (context: Context, fields: JsonObject) => void | Promise<void | JsonObject>;

const commands: Readonly<Record<string, Command>> = {
  listen: ({ client }, { mode }) => client.listen(mode === undefined ? undefined : ListenMode.parse(mode)),
  button: ({ client }) => client.act("button"),
  press: ({ client }) => client.act("press"),
  stop: ({ client }) => client.act("release"),
  wake: async ({ client }, { text, file }) =>
    client.wake({
      text: readText(text, "text"),
      audio: file === undefined ? undefined : await loadUtterance(readText(file, "file")),
    }),
  text: ({ client }, { text }) => client.type(readText(text, "text")),
  abort: ({ client }, { reason }) => client.abort(reason === undefined ? undefined : readText(reason, "reason")),
  hello: ({ client }) => client.sendHello(),
  raw: ({ client }, { text }) => client.connection.sendText(readText(text, "text")),
  binary: ({ client }, { hex }) => client.connection.sendBinary(Buffer.from(readText(hex, "hex"), "hex")),
  pause: ({ client }) => client.connection.pause(),
  resume: ({ client }) => client.connection.resume(),
  wav: async (context, fields) => say(context, fields, await loadUtterance(readText(fields["file"], "file"))),
  noise: (context, fields) =>
    say(context, fields, makeNoise(readChoice(readText(fields["kind"], "kind"), "kind", noiseNames))),
  wait: ({ waitFor, timeoutMs }, { for: wanted, ms }) =>
    waitFor((wanted ?? {}) as JsonObject, typeof ms === "number" ? ms : timeoutMs),
  sleep: async (_context, { ms }) => {
    await sleep(Number(ms));
  },
  async save({ speaker }, { file }) {
    const { ms } = speaker();
    return { saved: await speaker().save(readText(file, "file")), ms };
  },
  async close({ client }, { how }) {
    if (how === "goodbye") client.sayGoodbye();
    await client.connection.close(how === "frame" || how === "goodbye" ? "frame" : "drop");
  },
};

async function say({ client, print }: Context, fields: JsonObject, utterance: Utterance): Promise<void | JsonObject> {
  if (fields["burst"] === true) return client.burst(utterance);
  const said = client.say(utterance);
  if (fields["wait"] !== false) return { ...(await said) };
  void said.then((spoken) => print({ t: readClock(), did: fields, ...spoken }));
  return undefined;
}

const mostRecent = 10_000;

/** Runs the commands of `input` and prints all events to `output`. Returns the exit code: 1 if there was a problem. */
export async function runScript(options: ScriptOptions, signal?: AbortSignal): Promise<number> {
  const { device, hex, input, output } = options;
  let failed = false;
  const print = (line: JsonObject) => {
    failed ||= "problem" in line && line["got"] !== "bad";
    output.write(`${JSON.stringify({ ...line, t: Math.round(Number(line["t"]) * 10) / 10 })}\n`);
  };
  let speaker: Speaker | undefined;
  const hear = () => (speaker ??= createSpeaker(24_000));
  const inbox = createInbox();
  const ended = new AbortController();
  const observe = (event: DeviceEvent) => {
    print(showEvent(event, hex));
    inbox.put(event);
    if (!("got" in event)) return;
    if (event.got === "audio" && event.played) hear().play(event.packet);
    if (event.got === "json") speaker ??= tuneSpeaker(event.message);
    if (event.got === "close" && !device.quirks?.reconnect) ended.abort();
  };

  let client: DeviceClient;
  try {
    client = await connectDevice({ ...device, onEvent: observe }, signal);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    print({ t: readClock(), got: error.code, status: error.status, problem: error.message });
    return 1;
  }
  const context: Context = { client, speaker: hear, print, waitFor: inbox.waitFor, timeoutMs: options.timeoutMs };
  const over = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  const lines = createInterface({ input, signal: over });
  for await (const text of lines) {
    try {
      const { fields, run } = readCommand(text);
      if (fields["do"] !== "wait") inbox.clear();
      const outcome = await run(context, fields);
      print({ t: readClock(), did: fields, ...outcome });
    } catch (error) {
      print({ t: readClock(), problem: error instanceof Error ? error.message : String(error), command: text });
    }
    if (over.aborted) break;
  }
  await client.connection.close("drop");
  input.destroy();
  if (options.out !== undefined) await speaker?.save(options.out);
  if (output.writableNeedDrain) await once(output, "drain");
  return failed ? 1 : 0;
}

function createInbox() {
  let events: DeviceEvent[] = [];
  let wake: (() => void) | undefined;
  return {
    put(event: DeviceEvent) {
      events.push(event);
      if (events.length > mostRecent) events.shift();
      wake?.();
    },
    clear() {
      events = [];
    },
    /** Removes events until one fits. */
    async waitFor(wanted: JsonObject, ms: number): Promise<void> {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        wake?.();
      }, ms);
      try {
        for (;;) {
          for (let event = events.shift(); event !== undefined; event = events.shift()) {
            if (fits(event, wanted)) return;
            if ("got" in event && event.got === "close") throw new Error("the connection was closed");
          }
          if (late) throw new Error(`no such event came within ${ms} ms`);
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function fits(event: DeviceEvent, wanted: JsonObject): boolean {
  if (!("got" in event)) return false;
  const fields = event.got === "json" && !("got" in wanted) ? event.message : (event as unknown as JsonObject);
  return Object.entries(wanted).every(([name, value]) => fields[name] === value);
}

function showEvent(event: DeviceEvent, hex: boolean): JsonObject {
  if (!("got" in event) || (event.got !== "audio" && event.got !== "bad")) return event;
  const { data, ...rest } = event;
  const binary = hex ? { hex: Buffer.from(data).toString("hex") } : {};
  if (rest.got === "bad") return { ...rest, ...binary };
  const { packet, played, ...audio } = rest;
  return { ...audio, bytes: packet.byteLength, ...measure(packet), played, ...binary };
}

function measure(packet: Uint8Array): JsonObject {
  try {
    return { ms: readOpusPacket(packet).durationMs };
  } catch (error) {
    if (!(error instanceof OpusPacketError)) throw error;
    return { ms: 0, odd: error.message };
  }
}

function tuneSpeaker(message: JsonObject): Speaker | undefined {
  const hello = ServerHello.safeParse(message);
  return hello.success ? createSpeaker(hello.data.audio_params.sample_rate) : undefined;
}

function readCommand(text: string): { readonly fields: JsonObject; readonly run: Command } {
  const fields = JSON.parse(text) as JsonObject;
  const name = fields["do"];
  if (typeof name !== "string" || !Object.hasOwn(commands, name)) {
    throw new Error(`"do" must be one of ${Object.keys(commands).join(", ")}`);
  }
  return { fields, run: commands[name]! };
}

function readText(value: unknown, field: string): string {
  if (typeof value !== "string") throw new Error(`"${field}" must be a string`);
  return value;
}
