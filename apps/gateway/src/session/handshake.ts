import type { Transport } from "./transport.ts";

/** A device whose connection was accepted. */
export interface Handshake {
  readonly transport: Transport;
  readonly device: string;
  /** The device's address, as a trusted proxy reports it if there is one. */
  readonly remote: string;
}
