import type { Duplex } from "node:stream";
import type { FramingVersion } from "@voxbus/protocol";
import type { WebSocket } from "ws";

/** A device whose upgrade was accepted, and its socket. */
export interface Handshake {
  readonly socket: WebSocket;
  /** The TCP connection below the WebSocket. */
  readonly stream: Duplex;
  readonly device: string;
  /** The framing that the device announced, if it did. */
  readonly framing: FramingVersion | undefined;
  /** The device's address, as a trusted proxy reports it if there is one. */
  readonly remote: string;
}
