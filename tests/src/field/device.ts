import { setTimeout as sleep } from "node:timers/promises";
import { createInbox, encodeSpeech, loadSpeech, openTestDevice, type Received, type TestDevice } from "@voxbus/testing";
import { answerMcp, type McpScript } from "./mcp.ts";

type Json = Readonly<Record<string, unknown>>;

/** Everything that a device got in one turn, up to its `tts/stop`. */
export interface FieldTurn {
  /** The text of `stt`; undefined if there was none. */
  readonly heard: string | undefined;
  /** The subtitles. */
  readonly said: readonly string[];
  readonly emotions: readonly string[];
  readonly packets: readonly Uint8Array[];
}

/** A device of a case. It answers tool calls as its script says, and sends nothing else on its own. */
export interface FieldDevice {
  readonly id: string;
  /** The connection, for odd messages. */
  readonly connection: TestDevice;
  /** Every JSON message so far. */
  messages(): readonly Json[];
  /** The tool calls that the device got, with their arguments. */
  readonly calls: readonly (readonly [name: string, args: unknown])[];
  send(message: object | string | Uint8Array): void;
  /** Types a text, and resolves with its turn. */
  ask(text: string): Promise<FieldTurn>;
  /** Speaks a recording of samples/ while a button is held. */
  sendUtterance(sample: string): void;
  /** The same, and resolves with its turn. */
  speak(sample?: string): Promise<FieldTurn>;
  /** Sends the packets of a recording of samples/ as fast as the network takes them. */
  sendSpeech(sample: string): void;
  /** Resolves with the next turn that ends. */
  turn(): Promise<FieldTurn>;
  /** Resolves with the next turn, or with undefined if none ends within `ms`. */
  turnWithin(ms: number): Promise<FieldTurn | undefined>;
  /** Resolves with the first JSON message, past or future, that has these fields and was not given before. */
  next(fields: Json): Promise<Json>;
}

/** The options of a device. */
export interface FieldDeviceOptions {
  readonly id?: string;
  /** Fields that replace those of the hello. */
  readonly hello?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** The device's MCP server. Without it the device has no tools. */
  readonly mcp?: McpScript;
}

/** Connects a device to a gateway. */
export async function connectDevice(
  url: string,
  { id, hello, headers, mcp }: FieldDeviceOptions & { readonly id: string },
): Promise<FieldDevice> {
  const inbox = createInbox<Received>();
  const calls: [string, unknown][] = [];
  const early: Received[] = [];
  let connection: TestDevice | undefined;
  const take = (received: Received) => {
    if (!connection) {
      early.push(received);
      return;
    }
    inbox.put(received);
    if (!("json" in received) || received.json["type"] !== "mcp" || !mcp) return;
    for (const payload of answerMcp(mcp, received.json["payload"] as Json, (name, args) => calls.push([name, args])))
      connection.send(typeof payload === "string" ? payload : { type: "mcp", payload });
  };
  connection = await openTestDevice(url, {
    id,
    headers: { "Client-Id": id, "Protocol-Version": "1", ...headers },
    hello: { type: "hello", version: 1, transport: "websocket", features: mcp ? { mcp: true } : {}, ...hello },
    onReceived: take,
  });
  for (const received of early) take(received);
  const { send, closed } = connection;
  void closed.then(({ code }) => inbox.close(new Error(`the connection of ${id} closed with ${code}`)));
  let from = 0;
  const turn = async (): Promise<FieldTurn> => {
    const stop = await inbox.take((item) => isMessage(item, { type: "tts", state: "stop" }));
    const until = inbox.items.indexOf(stop);
    const items = inbox.items.slice(from, until);
    // An abort is answered with a stop also if nothing was said.
    if (until >= from && !items.some((item) => isMessage(item, { type: "tts", state: "start" }))) return turn();
    from = Math.max(from, until + 1);
    return readTurn(items);
  };
  const sendSpeech = (sample: string) => encodeSpeech(loadSpeech(sample)).forEach((packet) => send(packet));
  const sendUtterance = (sample: string) => {
    send({ type: "listen", state: "start", mode: "manual" });
    sendSpeech(sample);
    send({ type: "listen", state: "stop" });
  };
  return {
    id,
    connection,
    messages: () => inbox.items.flatMap((item) => ("json" in item ? [item.json] : [])),
    calls,
    send,
    ask(text) {
      send({ type: "listen", state: "detect", text });
      return turn();
    },
    sendUtterance,
    speak(sample = "sum") {
      sendUtterance(sample);
      return turn();
    },
    sendSpeech,
    turn,
    turnWithin: (ms) => Promise.race([turn(), sleep(ms, undefined)]),
    next: async (fields) => {
      const item = await inbox.take((item) => isMessage(item, fields));
      return "json" in item ? item.json : {};
    },
  };
}

function isMessage(item: Received, fields: Json): boolean {
  return "json" in item && Object.entries(fields).every(([name, value]) => item.json[name] === value);
}

function readTurn(items: readonly Received[]): FieldTurn {
  const texts = items.flatMap((item) => ("json" in item ? [item.json] : []));
  const pick = (fields: Json, field: string) =>
    texts.filter((json) => isMessage({ json }, fields)).map((json) => String(json[field]));
  return {
    heard: pick({ type: "stt" }, "text").at(-1),
    said: pick({ type: "tts", state: "sentence_start" }, "text"),
    emotions: pick({ type: "llm" }, "emotion"),
    packets: items.flatMap((item) => ("binary" in item ? [item.binary] : [])),
  };
}
