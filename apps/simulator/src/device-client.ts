import { closeCodes, type ListenMode, ServerHello, type ServerMessage } from "@voxbus/protocol";
import { ConnectionError, openConnection, type Connection, type Identity, type Received } from "./connection.ts";
import type { DeviceTools, JsonObject } from "./device-tools.ts";
import { createMicrophone, readClock, type Spoken } from "./microphone.ts";
import { uplink, type Silence, type Utterance } from "./utterance.ts";

/** What a device is doing, as in stock firmware: audio is played while it is speaking and dropped otherwise. */
type DeviceState = "idle" | "listening" | "speaking" | "closed";

/** Everything a device receives (`played` tells whether audio was taken or dropped), and the JSON that it sends. */
export type DeviceEvent =
  | Exclude<Received, { readonly got: "audio" }>
  | (Extract<Received, { readonly got: "audio" }> & { readonly played: boolean })
  | { readonly t: number; readonly sent: JsonObject };

/** The server's answer to a hello. */
type HelloAnswer = Extract<ServerMessage, { readonly type: "hello" }>;

/** How a device behaves beside who it is. */
export interface DeviceOptions extends Identity {
  readonly mode: ListenMode;
  readonly silence: Silence;
  /** The MCP server; without one the hello does not announce it. */
  readonly tools?: DeviceTools | undefined;
  /** False leaves hello to `sendHello`. */
  readonly sayHello?: boolean;
  /** False leaves WebSocket pings unanswered. */
  readonly answerPings?: boolean;
  /** True listens again after each answer in auto mode, as stock firmware does; false only when more is to be said. */
  readonly listenAgain?: boolean;
  /** Called for every event, in order; `close` is the last and comes once. */
  readonly onEvent?: (event: DeviceEvent) => void;
}

/** A connected device. What it sends after the connection's end is lost, as on a real one. */
export interface DeviceClient {
  readonly state: DeviceState;
  /** Resolves with the server's hello; rejects with a `ConnectionError` when it does not come within 10 s. */
  readonly serverHello: Promise<HelloAnswer>;
  sendHello(): void;
  /** Starts to listen; the microphone sends silence until something is said. */
  listen(mode?: ListenMode): void;
  /** Says a recording in real time, listening first if need be; while an answer is being spoken it waits for its end. */
  say(utterance: Utterance): Promise<Spoken>;
  /** Sends packets at once, whatever the state: the buffered wake word of docs/protocol.md, life of a device. */
  burst(utterance: Utterance): void;
  /** Releases the button: ends the listening of manual mode. */
  stop(): void;
  /** Sends typed text, or a wake word. */
  type(text: string): void;
  /** Asks the server to stop speaking; the device goes on speaking until `tts/stop` comes, as stock firmware does. */
  abort(reason?: string): void;
  readonly connection: Connection;
}

const helloMs = 10_000;

/**
 * Connects a device and, unless `sayHello` is false, waits for the server's hello. Throws a `ConnectionError`. It behaves
 * like stock firmware 2.x (docs/protocol.md): states, microphone, MCP, audio dropped while not speaking.
 */
export async function connectDevice(options: DeviceOptions, signal?: AbortSignal): Promise<DeviceClient> {
  const { mode, tools, sayHello = true, listenAgain = false, onEvent } = options;
  let state: DeviceState = "idle";
  let listenMode = mode;
  let sessionId = "";
  let waiting: (() => void)[] = [];
  let resolveHello: (answer: HelloAnswer) => void;
  let rejectHello: (error: Error) => void;
  const serverHello = new Promise<HelloAnswer>((resolve, reject) => {
    resolveHello = resolve;
    rejectHello = reject;
  });
  // Whoever wants it awaits it; a script that never says hello must not fail for it.
  serverHello.catch(() => undefined);
  let helloTimer: NodeJS.Timeout | undefined;

  const enter = (next: DeviceState) => {
    state = next;
    if (next === "speaking") return;
    const resume = waiting;
    waiting = [];
    for (const go of resume) go();
  };
  const sendJson = (message: JsonObject) => {
    connection.sendText(JSON.stringify(message));
    onEvent?.({ t: readClock(), sent: message });
  };
  const sendHello = () => {
    sendJson({
      type: "hello",
      version: options.protocol,
      features: tools === undefined ? {} : { mcp: true },
      transport: "websocket",
      audio_params: { format: "opus", sample_rate: uplink.sampleRate, channels: 1, frame_duration: uplink.frameMs },
    });
    helloTimer ??= setTimeout(() => {
      rejectHello(new ConnectionError("no-hello", `the server did not answer the hello within ${helloMs / 1000} s`));
    }, helloMs);
  };
  const listen = (wanted = mode) => {
    if (state === "closed") return;
    listenMode = wanted;
    sendJson({ session_id: sessionId, type: "listen", state: "start", mode: wanted });
    enter("listening");
    microphone.turnOn();
  };
  const startSpeaking = () => {
    if (listenMode !== "realtime") microphone.turnOff();
    enter("speaking");
  };
  const stopSpeaking = () => {
    if (state !== "speaking") return;
    enter(microphone.on ? "listening" : "idle");
    if (listenAgain && listenMode === "auto") listen("auto");
  };
  const readHello = (message: JsonObject) => {
    clearTimeout(helloTimer);
    const parsed = ServerHello.safeParse(message);
    if (!parsed.success) {
      rejectHello(new ConnectionError("no-hello", "the server's hello is malformed", { cause: parsed.error }));
      return;
    }
    sessionId = parsed.data.session_id;
    resolveHello(parsed.data);
  };
  const readMessage = (message: JsonObject) => {
    if (message["type"] === "hello") readHello(message);
    else if (message["type"] === "tts" && message["state"] === "start") startSpeaking();
    else if (message["type"] === "tts" && message["state"] === "stop") stopSpeaking();
    else if (message["type"] === "mcp") {
      const payload = tools?.answer((message["payload"] ?? {}) as JsonObject);
      if (payload !== undefined) sendJson({ session_id: sessionId, type: "mcp", payload });
    }
  };
  const readClose = ({ code, reason }: Extract<Received, { got: "close" }>) => {
    clearTimeout(helloTimer);
    state = "closed";
    microphone.turnOff();
    enter("closed");
    rejectHello(describeClose(code, reason));
  };
  const receive = (received: Received) => {
    if (received.got === "audio") return onEvent?.({ ...received, played: state === "speaking" });
    // The device's answers come after their cause in the record.
    onEvent?.(received);
    if (received.got === "json") readMessage(received.message);
    if (received.got === "close") readClose(received);
  };

  const connection = await openConnection(
    { ...options, answerPings: options.answerPings ?? true },
    (received) => receive(received),
    signal,
  );
  const microphone = createMicrophone({ silence: options.silence, send: (packet) => connection.sendPacket(packet) });

  const client: DeviceClient = {
    get state() {
      return state;
    },
    serverHello,
    sendHello,
    listen,
    async say(utterance) {
      if (!microphone.on && state === "speaking") await new Promise<void>((resolve) => waiting.push(resolve));
      if (!microphone.on) listen(listenMode);
      return microphone.on ? microphone.speak(utterance) : { speechEnd: undefined, complete: false };
    },
    burst(utterance) {
      for (const packet of utterance.packets) connection.sendPacket(packet);
    },
    stop() {
      sendJson({ session_id: sessionId, type: "listen", state: "stop" });
      microphone.turnOff();
      if (state === "listening") enter("idle");
    },
    type: (text) => sendJson({ session_id: sessionId, type: "listen", state: "detect", text }),
    abort: (reason) => sendJson({ session_id: sessionId, type: "abort", ...(reason === undefined ? {} : { reason }) }),
    connection,
  };
  if (!sayHello) return client;
  sendHello();
  try {
    await serverHello;
  } catch (error) {
    await connection.close("drop");
    throw error;
  }
  return client;
}

/** The error that says why the server closed, in the words of docs/protocol.md where it has them. */
export function describeClose(code: number, reason: string): ConnectionError {
  const known = Object.values(closeCodes).find((close) => close.code === code && close.reason === reason);
  const named = reason === "" ? String(code) : `${code} ${reason}`;
  const meaning = code === 1006 ? "The connection broke." : (known?.meaning ?? "");
  return new ConnectionError("closed", `the server closed the connection: ${named}. ${meaning}`.trimEnd(), {
    status: code,
  });
}
