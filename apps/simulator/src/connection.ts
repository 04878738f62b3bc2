import type { IncomingMessage } from "node:http";
import { closeCodes, decodeFrame, encodeFrame, ProtocolError, type FramingVersion } from "@voxbus/protocol";
import { WebSocket } from "ws";
import type { JsonObject } from "./device-tools.ts";
import { readClock } from "./microphone.ts";

/** The settings with which a device connects. */
export interface Identity {
  /** The WebSocket URL. */
  readonly url: string;
  readonly id: string;
  /** Sent as Client-Id; a UUID. */
  readonly clientId: string;
  /** Sent as `Authorization: Bearer …`, or as it is if it contains a space. Without it there is no such header. */
  readonly token?: string | undefined;
  readonly protocol: FramingVersion;
}

/** A connection that could not be opened, or that ended. `code` is stable; the message is for people. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: "unreachable" | "refused" | "no-hello" | "closed";
  /** The HTTP status of a refusal, or the close code. */
  readonly status: number | undefined;
  constructor(
    code: ConnectionError["code"],
    message: string,
    options: ErrorOptions & { readonly status?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = options.status;
  }
}

/** An event of the socket; `t` is in ms of `readClock`. */
export type Received =
  | { readonly t: number; readonly got: "json"; readonly message: JsonObject }
  | { readonly t: number; readonly got: "audio"; readonly data: Uint8Array; readonly packet: Uint8Array }
  | { readonly t: number; readonly got: "bad"; readonly data: Uint8Array; readonly problem: string }
  | { readonly t: number; readonly got: "ping" }
  | { readonly t: number; readonly got: "close"; readonly code: number; readonly reason: string };

/** An open WebSocket with one binary framing. Messages sent after its end are lost, as on a device. */
export interface Connection {
  readonly open: boolean;
  /** The number of Opus packets sent so far. */
  readonly packetsSent: number;
  sendText(text: string): void;
  /** Sends one Opus packet in the connection's framing. */
  sendPacket(packet: Uint8Array): void;
  /** Sends a binary message as it is. */
  sendBinary(data: Uint8Array): void;
  /** Stops reading the socket until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes the connection: `drop` without a Close frame, as stock firmware does; `frame` with Close 1000 and a second to answer. */
  close(how: "drop" | "frame"): Promise<void>;
}

const handshakeMs = 10_000;
const closeWaitMs = 1000;
const longestRefusalBytes = 1000;

/**
 * Connects with a stock device's headers (docs/protocol.md, upgrade request). Events go to `onReceived` in order, `close` last
 * and once. Throws `ConnectionError`: `unreachable`, or `refused` with the HTTP status and the response's text.
 */
export async function openConnection(
  identity: Identity & { readonly answerPings: boolean; readonly answerClose: boolean },
  onReceived: (received: Received) => void,
  signal?: AbortSignal,
): Promise<Connection> {
  signal?.throwIfAborted();
  const { url, id, clientId, token, protocol } = identity;
  const socket = new WebSocket(url, {
    headers: {
      ...(token ? { Authorization: token.includes(" ") ? token : `Bearer ${token}` } : {}),
      "Client-Id": clientId,
      "Device-Id": id,
      "Protocol-Version": String(protocol),
    },
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
    autoPong: identity.answerPings,
  });
  const close = socket.close.bind(socket);
  // The library would answer a Close frame with this method.
  if (!identity.answerClose) socket.close = () => undefined;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));

  return new Promise((resolve, reject) => {
    let opened = false;
    let packetsSent = 0;
    const drop = () => socket.terminate();
    signal?.addEventListener("abort", drop, { once: true });
    socket.on("open", () => {
      opened = true;
      // Messages that came with the handshake wait until the caller is ready.
      socket.pause();
      setImmediate(() => socket.resume());
      resolve({
        get open() {
          return socket.readyState === WebSocket.OPEN;
        },
        sendText: (text) => send(socket, text),
        get packetsSent() {
          return packetsSent;
        },
        sendPacket: (packet) => {
          packetsSent++;
          send(socket, encodeFrame(protocol, packet));
        },
        sendBinary: (data) => send(socket, data),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
        close: (how) => closeSocket(socket, how === "drop" ? () => socket.terminate() : () => close(1000), closed),
      });
    });
    socket.on("message", (data: Buffer, isBinary) => {
      const t = readClock();
      onReceived(isBinary ? readBinary(t, protocol, data) : readText(t, data));
    });
    socket.on("ping", () => onReceived({ t: readClock(), got: "ping" }));
    socket.on("unexpected-response", (request, response) => {
      readRefusal(response).then(
        (text) => {
          const status = response.statusCode ?? 0;
          reject(
            new ConnectionError("refused", `the server refused the connection: ${status} ${text}`.trimEnd(), {
              status,
            }),
          );
          request.destroy();
        },
        (cause: unknown) => reject(new ConnectionError("unreachable", "the server hung up", { cause })),
      );
    });
    // After the connection is open, a close follows with the code.
    socket.on("error", (cause: Error & { code?: string }) => {
      reject(new ConnectionError("unreachable", cause.code ?? cause.message, { cause }));
    });
    socket.on("close", (code, reason) => {
      signal?.removeEventListener("abort", drop);
      if (opened) onReceived({ t: readClock(), got: "close", code, reason: reason.toString() });
    });
  });
}

function send(socket: WebSocket, data: string | Uint8Array): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(data);
}

async function closeSocket(socket: WebSocket, close: () => void, closed: Promise<void>): Promise<void> {
  close();
  const timer = setTimeout(() => socket.terminate(), closeWaitMs);
  await closed;
  clearTimeout(timer);
}

function readText(t: number, data: Buffer): Received {
  try {
    const message: unknown = JSON.parse(data.toString());
    if (typeof message === "object" && message !== null) return { t, got: "json", message: message as JsonObject };
    return { t, got: "bad", data, problem: "a text frame that is not a JSON object" };
  } catch (error) {
    return { t, got: "bad", data, problem: `a text frame that is not JSON: ${String(error)}` };
  }
}

function readBinary(t: number, protocol: FramingVersion, data: Buffer): Received {
  try {
    return { t, got: "audio", data, packet: decodeFrame(protocol, data).packet };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { t, got: "bad", data, problem: error.message };
  }
}

async function readRefusal(response: IncomingMessage): Promise<string> {
  let body = "";
  response.setTimeout(closeWaitMs, () => response.destroy());
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > longestRefusalBytes) break;
  }
  return body.replaceAll(/\s+/g, " ").slice(0, longestRefusalBytes).trim();
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
