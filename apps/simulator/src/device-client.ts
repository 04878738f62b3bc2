import { closeCodes, type ListenMode } from "@voxbus/protocol";
import { ConnectionError, openConnection, type Connection, type Identity, type Received } from "./connection.ts";
import type { DeviceTools, JsonObject } from "./device-tools.ts";
import { createHelloWait, type HelloAnswer } from "./hello-wait.ts";
import { createMicrophone, readClock, type Spoken } from "./microphone.ts";
import { uplink, type Silence, type Utterance } from "./utterance.ts";

/** The state of a device, as in stock firmware. It plays audio only while it is speaking. */
type DeviceState = "idle" | "listening" | "speaking" | "closed";

/** A received event, with `played` for audio, or a JSON message that the device sent. */
export type DeviceEvent =
  | Exclude<Received, { readonly got: "audio" }>
  | (Extract<Received, { readonly got: "audio" }> & { readonly played: boolean })
  | { readonly t: number; readonly sent: JsonObject };

/** Deviations from the default behavior of a device. */
export interface Quirks {
  /** Leaves the hello to `sendHello`. */
  readonly noHello?: boolean;
  /** Leaves WebSocket pings unanswered. */
  readonly noPong?: boolean;
  /** Leaves a Close frame unanswered and keeps streaming until TCP ends, as stock firmware does. */
  readonly noClose?: boolean;
  /** Listens again after each answer in auto mode, as stock firmware does. By default only `say` listens. */
  readonly relisten?: boolean;
}

/** The identity and the behavior of a device. */
export interface DeviceOptions {
  readonly identity: Identity;
  readonly mode: ListenMode;
  readonly silence: Silence;
  /** The MCP server of the device; without it the hello does not announce one. */
  readonly tools?: DeviceTools | undefined;
  readonly quirks?: Quirks;
  /** Called with every event, in order; `close` is the last and comes once. */
  readonly onEvent?: (event: DeviceEvent) => void;
}

/** A connected device. Messages sent after the end of the connection are lost, as on a real one. */
export interface DeviceClient {
  readonly state: DeviceState;
  /** Resolves with the server's hello. Rejects with a `ConnectionError` if it does not come within 10 s. */
  readonly serverHello: Promise<HelloAnswer>;
  sendHello(): void;
  /** Starts to listen. The microphone sends silence until `say`. */
  listen(mode?: ListenMode): void;
  /** Says a recording in real time. Waits for the end of a playing answer, and listens first if necessary. */
  say(utterance: Utterance): Promise<Spoken>;
  /** Sends all packets at once in any state: the buffered wake word of docs/protocol.md, life of a device. */
  burst(utterance: Utterance): void;
  /** Ends listening in manual mode: the user releases the button. */
  stop(): void;
  /** Sends typed text, or a wake word. */
  type(text: string): void;
  /** Asks the server to stop speaking. The device stays in its state until `tts/stop` comes, as stock firmware does. */
  abort(reason?: string): void;
  readonly connection: Connection;
}

/**
 * Connects a device that behaves like stock firmware 2.x (docs/protocol.md): states, microphone, MCP, play-out. Waits for the
 * server's hello, except with the quirk `noHello`. Throws `ConnectionError`.
 */
export async function connectDevice(options: DeviceOptions, signal?: AbortSignal): Promise<DeviceClient> {
  const { identity, quirks = {} } = options;
  const connection = await openConnection(
    { ...identity, answerPings: !quirks.noPong, answerClose: !quirks.noClose },
    // No event comes before the connection is returned.
    (received) => device.receive(received),
    signal,
  );
  const device = new SimulatedDevice(options, connection);
  if (quirks.noHello) return device;
  device.sendHello();
  try {
    await device.serverHello;
  } catch (error) {
    await connection.close("drop");
    throw error;
  }
  return device;
}

class SimulatedDevice implements DeviceClient {
  readonly connection: Connection;
  readonly #options: DeviceOptions;
  readonly #microphone;
  readonly #hello = createHelloWait();
  #state: DeviceState = "idle";
  #listenMode: ListenMode;
  #sessionId = "";
  #waitingToSpeak: (() => void)[] = [];

  constructor(options: DeviceOptions, connection: Connection) {
    this.connection = connection;
    this.#options = options;
    this.#listenMode = options.mode;
    this.#microphone = createMicrophone({
      silence: options.silence,
      send: (packet) => connection.sendPacket(packet),
    });
  }

  get state(): DeviceState {
    return this.#state;
  }

  get serverHello(): Promise<HelloAnswer> {
    return this.#hello.answer;
  }

  sendHello(): void {
    this.#send({
      type: "hello",
      version: this.#options.identity.protocol,
      features: this.#options.tools === undefined ? {} : { mcp: true },
      transport: "websocket",
      audio_params: { format: "opus", sample_rate: uplink.sampleRate, channels: 1, frame_duration: uplink.frameMs },
    });
    this.#hello.start();
  }

  listen(mode = this.#options.mode): void {
    if (this.#state === "closed") return;
    this.#listenMode = mode;
    this.#sendInSession({ type: "listen", state: "start", mode });
    this.#enter("listening");
    this.#microphone.turnOn();
  }

  async say(utterance: Utterance): Promise<Spoken> {
    if (!this.#microphone.on && this.#state === "speaking") {
      await new Promise<void>((resolve) => this.#waitingToSpeak.push(resolve));
    }
    if (!this.#microphone.on) this.listen(this.#listenMode);
    return this.#microphone.on ? this.#microphone.speak(utterance) : { speechEnd: undefined, complete: false };
  }

  burst(utterance: Utterance): void {
    for (const packet of utterance.packets) this.connection.sendPacket(packet);
  }

  stop(): void {
    this.#sendInSession({ type: "listen", state: "stop" });
    this.#microphone.turnOff();
    if (this.#state === "listening") this.#enter("idle");
  }

  type(text: string): void {
    this.#sendInSession({ type: "listen", state: "detect", text });
  }

  abort(reason?: string): void {
    this.#sendInSession({ type: "abort", ...(reason === undefined ? {} : { reason }) });
  }

  /** Takes an event of the connection. */
  receive(received: Received): void {
    const { onEvent } = this.#options;
    if (received.got === "audio") return onEvent?.({ ...received, played: this.#state === "speaking" });
    // In the record, an answer of the device comes after its cause.
    onEvent?.(received);
    if (received.got === "json") this.#receiveMessage(received.message);
    if (received.got === "close") this.#close(received.code, received.reason);
  }

  #receiveMessage(message: JsonObject): void {
    const { type, state, payload } = message;
    if (type === "hello") this.#sessionId = this.#hello.receive(message) ?? this.#sessionId;
    if (type === "tts" && state === "start") this.#startSpeaking();
    if (type === "tts" && state === "stop") this.#stopSpeaking();
    if (type !== "mcp") return;
    const answer = this.#options.tools?.answer((payload ?? {}) as JsonObject);
    if (answer !== undefined) this.#sendInSession({ type: "mcp", payload: answer });
  }

  #startSpeaking(): void {
    if (this.#listenMode !== "realtime") this.#microphone.turnOff();
    this.#enter("speaking");
  }

  #stopSpeaking(): void {
    if (this.#state !== "speaking") return;
    this.#enter(this.#microphone.on ? "listening" : "idle");
    if (this.#options.quirks?.relisten && this.#listenMode === "auto") this.listen("auto");
  }

  #close(code: number, reason: string): void {
    this.#state = "closed";
    this.#microphone.turnOff();
    this.#enter("closed");
    this.#hello.fail(describeClose(code, reason));
  }

  #enter(state: DeviceState): void {
    this.#state = state;
    if (state === "speaking") return;
    for (const resume of this.#waitingToSpeak.splice(0)) resume();
  }

  #sendInSession(message: JsonObject): void {
    this.#send({ session_id: this.#sessionId, ...message });
  }

  #send(message: JsonObject): void {
    this.connection.sendText(JSON.stringify(message));
    this.#options.onEvent?.({ t: readClock(), sent: message });
  }
}

/** Makes an error from a close code, with its meaning in docs/protocol.md if it has one. */
export function describeClose(code: number, reason: string): ConnectionError {
  const known = Object.values(closeCodes).find((close) => close.code === code && close.reason === reason);
  const named = reason === "" ? String(code) : `${code} ${reason}`;
  const meaning = code === 1006 ? "The connection broke." : (known?.meaning ?? "");
  return new ConnectionError("closed", `the server closed the connection: ${named}. ${meaning}`.trimEnd(), {
    status: code,
  });
}
