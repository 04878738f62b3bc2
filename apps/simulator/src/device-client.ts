import type { DeviceClient, DeviceOptions, WakeWord } from "./client.ts";
import { ConnectionError, describeClose, openConnection, type Connection, type Received } from "./connection.ts";
import type { JsonObject } from "./device-tools.ts";
import {
  startFirmware,
  step,
  type DeviceState,
  type Firmware,
  type FirmwareEvent,
  type Reaction,
  type UserAction,
} from "./firmware.ts";
import { createHelloWait, type HelloAnswer } from "./hello-wait.ts";
import { createMicrophone, readClock, type Spoken } from "./microphone.ts";
import { isMqtt, openMqttConnection } from "./mqtt-connection.ts";
import { createPlayout } from "./playout.ts";
import { uplink, type Utterance } from "./utterance.ts";

/**
 * Connects a device that behaves like stock firmware 2.4 (firmware.ts, docs/protocol.md). Waits for the server's hello, except
 * with the quirk `noHello`. Over MQTT the device is idle then: each conversation begins with a hello and ends with a goodbye.
 * Throws `ConnectionError`.
 */
export async function connectDevice(options: DeviceOptions, signal?: AbortSignal): Promise<DeviceClient> {
  const device = new SimulatedDevice(options, signal);
  await device.reach();
  return device;
}

const longestWakePackets = 33;
const quietWakePackets = 20;
const reconnectMs = 5000;
const quietWord: WakeWord = { text: "Hi, ESP" };

class SimulatedDevice implements DeviceClient {
  readonly #options: DeviceOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #microphone;
  readonly #playout = createPlayout(() => this.#take("drained"));
  #connection: Connection | undefined;
  #connecting: Promise<void> | undefined;
  #hello = createHelloWait();
  #firmware: Firmware;
  #toggleMode: "auto" | "realtime";
  #wakeWord = quietWord;
  #sessionId = "";
  #waiting: (() => void)[] = [];

  constructor(options: DeviceOptions, signal: AbortSignal | undefined) {
    const { mode, silence } = options;
    this.#options = options;
    this.#signal = signal;
    this.#firmware = startFirmware(mode);
    this.#toggleMode = mode === "realtime" ? mode : "auto";
    this.#microphone = createMicrophone({ silence, send: (packet) => this.#connection?.sendPacket(packet) });
  }

  get state(): DeviceState {
    return this.#firmware.state;
  }

  get isConnected(): boolean {
    return this.#firmware.isConnected;
  }

  get connection(): Connection {
    return this.#connection!;
  }

  get serverHello(): Promise<HelloAnswer> {
    return this.#hello.answer;
  }

  async connect(): Promise<void> {
    if (!this.isConnected) await (this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined)));
  }

  /** Connects. Over MQTT that begins no conversation yet. */
  async reach(): Promise<void> {
    if (this.#isMqtt) this.#connection = await this.#openConnection();
    else await this.connect();
  }

  get #isMqtt(): boolean {
    return isMqtt(this.#options.identity);
  }

  /** Opens a connection. No event comes before it is returned. */
  async #openConnection(): Promise<Connection> {
    const { identity, quirks = {} } = this.#options;
    const receive = (received: Received) => this.#receive(received);
    if (this.#isMqtt)
      return this.#connection?.open ? this.#connection : openMqttConnection(identity, receive, this.#signal);
    const how = { answerPings: !quirks.noPong, answerClose: quirks.answerClose === true };
    return openConnection({ ...identity, ...how }, receive, this.#signal);
  }

  async #open(): Promise<void> {
    this.#hello = createHelloWait();
    const connection = await this.#openConnection();
    this.#connection = connection;
    if (!this.#options.quirks?.noHello) {
      this.sendHello();
      await this.#hello.answer.catch(async (error: unknown) => {
        await connection.close("drop");
        throw error;
      });
    }
    this.#take("connected");
  }

  sendHello(): void {
    this.#send({
      type: "hello",
      version: this.#isMqtt ? 3 : this.#options.identity.protocol,
      features: this.#options.tools === undefined ? {} : { mcp: true },
      transport: this.#isMqtt ? "udp" : "websocket",
      audio_params: { format: "opus", sample_rate: uplink.sampleRate, channels: 1, frame_duration: uplink.frameMs },
    });
    this.#hello.start();
  }

  act(action: UserAction): void {
    if (this.isConnected || this.#isMqtt || this.#options.quirks?.reconnect) this.#take(action);
  }

  wake(word: WakeWord): void {
    this.#wakeWord = word;
    this.act("wake");
  }

  listen(mode = this.#options.mode): void {
    if (mode === "manual") return this.act("press");
    this.#toggleMode = mode;
    if (this.state !== "listening") this.act("button");
  }

  async say(utterance: Utterance): Promise<Spoken> {
    for (;;) {
      if (this.#microphone.on) return this.#microphone.speak(utterance);
      if (this.state === "idle") this.listen();
      if (this.state === "idle") return { speechEnd: undefined, complete: false };
      if (!this.#microphone.on) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  burst(utterance: Utterance): void {
    for (const packet of utterance.packets) this.#connection?.sendPacket(packet);
  }

  type(text: string): void {
    // The server learns from a packet where to send the answer.
    if (this.#isMqtt) this.#connection?.sendPacket(this.#options.silence(0));
    this.#sendInSession({ type: "listen", state: "detect", text });
  }

  abort(reason?: string): void {
    this.#sendInSession({ type: "abort", ...(reason === undefined ? {} : { reason }) });
  }

  sayGoodbye(): void {
    this.#sendInSession({ type: "goodbye" });
    if (this.#isMqtt) this.#endConversation();
  }

  #receive(received: Received): void {
    const { onEvent } = this.#options;
    if (received.got === "audio") {
      const played = this.state === "speaking";
      if (played) this.#playout.play(received.packet);
      return onEvent?.({ ...received, played });
    }
    // In the record, an answer of the device comes after its cause.
    onEvent?.(received);
    if (received.got === "json") this.#receiveMessage(received.message);
    if (received.got === "close") this.#end(describeClose(received.code, received.reason));
  }

  #receiveMessage(message: JsonObject): void {
    const { type, state, payload } = message;
    if (type === "hello") this.#sessionId = this.#hello.receive(message) ?? this.#sessionId;
    if (type === "tts" && state === "start") this.#take("tts/start");
    if (type === "tts" && state === "stop") this.#take("tts/stop");
    if (type === "goodbye" && this.#isMqtt) this.#endConversation();
    if (type !== "mcp") return;
    for (const answer of this.#options.tools?.answer((payload ?? {}) as JsonObject) ?? []) {
      this.#sendInSession({ type: "mcp", payload: answer });
    }
  }

  #endConversation(): void {
    this.#playout.clear();
    this.#take("closed");
  }

  #end(error: ConnectionError): void {
    this.#endConversation();
    this.#hello.fail(error);
    if (this.#options.quirks?.reconnect !== "always") return;
    setTimeout(() => this.#retry(this.reach()), reconnectMs).unref();
  }

  #retry(connecting: Promise<void>): void {
    connecting.catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      // A connection that was open has told its end.
      if (error.code !== "unreachable" && error.code !== "refused") return;
      const { status = 1006, message } = error;
      this.#options.onEvent?.({ t: readClock(), got: "close", code: status, reason: message });
      this.#end(error);
    });
  }

  #take(event: FirmwareEvent): void {
    const { quirks } = this.#options;
    const build = { toggleMode: this.#toggleMode, relistens: !quirks?.noRelisten };
    const { device, reactions } = step(this.#firmware, event, build);
    this.#firmware = device;
    if (!device.hasMicrophone) this.#microphone.turnOff();
    for (const reaction of reactions) this.#react(reaction);
    if (device.hasMicrophone) this.#microphone.turnOn();
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #react(reaction: Reaction): void {
    if (reaction === "connect") this.#retry(this.connect());
    else if (reaction === "disconnect" && this.#isMqtt) this.sayGoodbye();
    else if (reaction === "disconnect") void this.#connection?.close("drop");
    else if (reaction === "listen/start")
      this.#sendInSession({ type: "listen", state: "start", mode: this.#firmware.mode });
    else if (reaction === "listen/stop") this.#sendInSession({ type: "listen", state: "stop" });
    else if (reaction === "abort") this.abort();
    else if (reaction === "abort/wake") this.abort("wake_word_detected");
    else if (reaction === "detect") this.#detect();
    else if (reaction === "clear") this.#playout.clear();
    else this.#playout.drain();
  }

  /** Sends the buffered audio of the wake word, then its text. */
  #detect(): void {
    if (this.#options.quirks?.noWakeAudio) return;
    const { text, audio } = this.#wakeWord;
    const { silence } = this.#options;
    const packets =
      audio?.packets.slice(-longestWakePackets) ?? Array.from({ length: quietWakePackets }, (_, n) => silence(n));
    for (const packet of packets) this.#connection?.sendPacket(packet);
    this.type(text);
  }

  #sendInSession(message: JsonObject): void {
    this.#send({ session_id: this.#sessionId, ...message });
  }

  #send(message: JsonObject): void {
    this.#connection?.sendText(JSON.stringify(message));
    this.#options.onEvent?.({ t: readClock(), sent: message });
  }
}
