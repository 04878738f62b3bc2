import { nanos } from "@nats-io/transport-node";

const nakDelayMs = 1000;
const encoder = new TextEncoder();

/** Tells NATS that the work on a message goes on, which restarts the acknowledgement's wait. */
export const workingBytes = encoder.encode("+WPI");

/** Ends a delivery, as NATS's acknowledgement protocol writes it. */
export const verdictBytes = {
  /** The work is done. */
  ack: encoder.encode("+ACK"),
  /** The message is dropped. */
  term: encoder.encode("+TERM"),
  /** The message is delivered again at once. */
  nak: encoder.encode("-NAK"),
  /** The message is delivered again after 1 s. */
  nakLater: encoder.encode(`-NAK {"delay":${nanos(nakDelayMs)}}`),
} as const;
export type Verdict = keyof typeof verdictBytes;

/** One delivery of a stored message. */
export interface DeliveryInfo {
  /** Identifies the message by its sequence and time: a stream that was created again reuses its sequences. */
  readonly key: string;
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /** The place of the message in its stream. */
  readonly seq: number;
  /** When the message was stored, in ms since the epoch by the server's clock. */
  readonly storedAt: number;
}

/** Reads a delivery from the subject on which it is acknowledged. */
export function readDelivery(ackSubject: string): DeliveryInfo {
  const tokens = ackSubject.split(".");
  // $JS.ACK.<stream>.<consumer>.<attempt>.<seq>.…, since 2.11 also with <domain>.<account> before the stream.
  const at = tokens.length === 9 ? 4 : 6;
  return {
    key: `${tokens[at + 1]}@${tokens[at + 3]}`,
    attempt: Number(tokens[at]),
    seq: Number(tokens[at + 1]),
    storedAt: Number(tokens[at + 3]) / 1e6,
  };
}
