import { signal, type ReadonlySignal } from "@preact/signals";
import type { GatewayAddress } from "../../src/live/live.ts";
import {
  openDeviceSocket,
  type DeviceSocket,
  type DeviceSocketListeners,
  type OutgoingMessage,
} from "./device-socket.ts";
import { findEndpoint, type DeviceIdentity } from "./gateway-endpoint.ts";
import { TalkError } from "./talk-error.ts";

/** This browser's connection to a gateway. It has one session at a time. */
export interface GatewayConnection {
  readonly state: ReadonlySignal<"closed" | "connecting" | "open">;
  /** The code with which an operator lets this browser in, while a session waits for that. */
  readonly code: ReadonlySignal<string | undefined>;
  /** Round trip of the newest ping, ms; undefined before the first pong. */
  readonly rtt: ReadonlySignal<number | undefined>;
  /** Opens a session unless one is open, or waits for `reopen`. Throws TalkError. */
  open(): Promise<void>;
  /** Ends the wait for an operator: `open` or `reopen` throws TalkError `not-let-in`. */
  giveUp(): void;
  /** Tries several times to open a session, with growing pauses. Throws TalkError if every try failed. */
  reopen(): Promise<void>;
  /** Sends a message; does nothing without a session. */
  send(message: OutgoingMessage): void;
  /** Sends one Opus packet; does nothing without a session. */
  sendAudio(packet: Uint8Array<ArrayBuffer>): void;
}

/** Listeners for the events of a connection. */
export interface ConnectionListeners extends Omit<DeviceSocketListeners, "onRtt"> {
  /** Called when a session has opened. */
  onOpen(): void;
}

/** The longest wait for an operator, ms: the first code has expired by then. */
const longestWaitMs = 600_000;
const retryPausesMs = [500, 1000, 2000, 4000, 8000];

/** Creates the connection; it is closed at first. */
export function createConnection(options: {
  readonly identity: DeviceIdentity;
  readonly gateways: () => readonly GatewayAddress[];
  readonly listeners: ConnectionListeners;
}): GatewayConnection {
  const { identity, gateways, listeners } = options;
  const state = signal<"closed" | "connecting" | "open">("closed");
  const code = signal<string | undefined>(undefined);
  const rtt = signal<number | undefined>(undefined);
  let socket: DeviceSocket | undefined;
  let opening: Promise<void> | undefined;
  let waiting = new AbortController();

  const findOwnEndpoint = async () => {
    waiting = new AbortController();
    const overdue = setTimeout(() => waiting.abort(new TalkError("not-let-in")), longestWaitMs);
    try {
      const onCode = (shown: string) => (code.value = shown);
      return await findEndpoint(gateways(), identity, { onCode, signal: waiting.signal });
    } finally {
      clearTimeout(overdue);
      code.value = undefined;
    }
  };
  const openSession = async () => {
    state.value = "connecting";
    try {
      socket = await openDeviceSocket(await findOwnEndpoint(), identity, {
        ...listeners,
        onRtt: (ms) => (rtt.value = ms),
        onClose(code) {
          socket = undefined;
          state.value = "closed";
          listeners.onClose(code);
        },
      });
      state.value = "open";
      listeners.onOpen();
    } catch (error) {
      state.value = "closed";
      throw error;
    }
  };
  const reopenSession = async () => {
    let failure: unknown;
    for (const pause of retryPausesMs) {
      state.value = "connecting";
      await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        return await openSession();
      } catch (error) {
        failure = error;
        if (waiting.signal.aborted) break;
        console.info("gateway not reached", error);
      }
    }
    throw failure;
  };
  const openWith = async (open: () => Promise<void>) => {
    if (!socket) await (opening ??= open().finally(() => (opening = undefined)));
  };

  return {
    state,
    code,
    rtt,
    giveUp: () => waiting.abort(new TalkError("not-let-in")),
    open: () => openWith(openSession),
    reopen: () => openWith(reopenSession),
    send: (message) => socket?.send(message),
    sendAudio: (packet) => socket?.sendAudio(packet),
  };
}
