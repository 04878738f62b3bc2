import type { Duplex } from "node:stream";
import type { CloseName } from "@voxbus/protocol";
import type { WebSocket } from "ws";

const owner = Symbol("owner");
type Owned<T> = { [owner]?: T };

/** Takes what arrives on a WebSocket. */
export interface SocketOwner {
  received(data: Buffer, isBinary: boolean): void;
  ponged(): void;
  pinged(): void;
  socketFailed(error: Error & { readonly code?: string }): void;
  gone(code: number): void;
}

/** Takes the reads of a TCP connection. */
export interface StreamOwner {
  read(bytes: number): void;
}

// All sockets share these functions. A closure for each event of each idle session would take 2 KB of memory.
function onMessage(this: WebSocket & Owned<SocketOwner>, data: Buffer, isBinary: boolean): void {
  this[owner]?.received(data, isBinary);
}
function onPong(this: WebSocket & Owned<SocketOwner>): void {
  this[owner]?.ponged();
}
function onPing(this: WebSocket & Owned<SocketOwner>): void {
  this[owner]?.pinged();
}
function onError(this: WebSocket & Owned<SocketOwner>, error: Error): void {
  this[owner]?.socketFailed(error);
}
function onClose(this: WebSocket & Owned<SocketOwner>, code: number): void {
  this[owner]?.gone(code);
}
function onData(this: Duplex & Owned<StreamOwner>, chunk: Buffer): void {
  this[owner]?.read(chunk.byteLength);
}

/** Gives a WebSocket its one owner. */
export function listenOnSocket(socket: WebSocket & Owned<SocketOwner>, session: SocketOwner): void {
  socket[owner] = session;
  socket.on("message", onMessage).on("pong", onPong).on("ping", onPing).on("error", onError).on("close", onClose);
}

/** Gives a TCP connection its one owner, which sees each read before ws does. */
export function listenOnStream(stream: Duplex & Owned<StreamOwner>, gate: StreamOwner): void {
  stream[owner] = gate;
  stream.prependListener("data", onData);
}

/** Names the close of a socket that failed with a code of ws. */
export function nameSocketError(code: string): CloseName {
  // Longer than the limit, or longer than a number can tell.
  if (/^WS_ERR_UNSUPPORTED_(MESSAGE|DATA_PAYLOAD)_LENGTH$/.test(code)) return "frame_too_big";
  if (code === "WS_ERR_TOO_MANY_BUFFERED_PARTS") return "fragmented";
  return code === "WS_ERR_INVALID_UTF8" ? "invalid_text" : "invalid_frame";
}
