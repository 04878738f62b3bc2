import type { Socket } from "node:net";
import { encodeMqtt, MqttReader, mqttRoles, ProtocolError, type MqttPacket, type Refusal } from "@voxbus/protocol";
import type { Client } from "@voxbus/subscriber";
import type { Refuser } from "../http/refusals.ts";
import { fixedLimits } from "../limits.ts";
import { listenOnConnection, type ConnectionOwner } from "./listen-on.ts";

/** The CONNECT of a device. */
export type ConnectPacket = Extract<MqttPacket, { readonly type: "connect" }>;

/** Takes the CONNECT of a connection. Rejects with the errors that refusals stand for. */
export type Connect = (packet: ConnectPacket, connection: PendingConnection) => Promise<void>;

/** The CONNACK that tells a device of a refusal. Every other refusal means that the server is unavailable. */
const connackCodes: Readonly<Partial<Record<Refusal, number>>> = {
  "bad-protocol-version": 1,
  "bad-device-id": 2,
  unauthorized: 4,
  forbidden: 5,
  disabled: 5,
};
const unavailable = 3;

/** The parts of the server that a pending connection needs. */
interface PendingDeps {
  readonly refuser: Refuser;
  readonly connect: Connect;
  /** The connection is no longer pending. */
  readonly leave: (connection: PendingConnection) => void;
}

/** A connection without a CONNECT yet. Only that packet is read, and it is short. */
export class PendingConnection implements ConnectionOwner {
  readonly socket: Socket;
  readonly client: Client;
  readonly since = performance.now();
  readonly #deps: PendingDeps;
  readonly #reader = new MqttReader(mqttRoles.connecting, fixedLimits.connectBytes);
  #isRead = false;
  #isRefused = false;

  constructor(socket: Socket, client: Client, deps: PendingDeps) {
    this.socket = socket;
    this.client = client;
    this.#deps = deps;
    listenOnConnection(socket, this);
  }

  data(chunk: Buffer): void {
    if (this.#isRead) return;
    try {
      this.#reader.push(chunk);
      const packet = this.#reader.next();
      if (packet?.type !== "connect") return;
      this.#isRead = true;
      this.#connect(packet);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#deps.refuser.invalid(error);
      this.socket.destroy();
    }
  }

  #connect(packet: ConnectPacket): void {
    const { socket } = this;
    // What follows is for the next owner.
    socket.pause();
    const rest = this.#reader.takeRest();
    if (rest.byteLength > 0) socket.unshift(rest);
    this.#deps.connect(packet, this).then(
      () => this.#deps.leave(this),
      (error: unknown) => this.refuse(error),
    );
  }

  /** Answers with the CONNACK of a refusal, and ends the connection. */
  refuse(error: unknown): void {
    // The check of a CONNECT may fail after its time is up.
    if (this.#isRefused) return;
    this.#isRefused = true;
    const name = this.#deps.refuser.named(error);
    this.#deps.leave(this);
    const { socket } = this;
    const destroy = () => socket.destroy();
    if (!this.#isRead) return void destroy();
    const timer = setTimeout(destroy, fixedLimits.lingerMs);
    socket.once("close", () => clearTimeout(timer));
    socket.end(encodeMqtt({ type: "connack", code: connackCodes[name] ?? unavailable }), destroy);
  }

  failed(): void {
    // A close follows.
  }

  closed(): void {
    this.#deps.leave(this);
  }
}
