import type { Socket } from "node:net";

const owner = Symbol("owner");
type Owned = Socket & { [owner]?: ConnectionOwner };

/** Takes what arrives on a TCP connection. */
export interface ConnectionOwner {
  data(chunk: Buffer): void;
  failed(error: Error): void;
  closed(): void;
}

// All connections share these functions, as WebSockets do.
function onData(this: Owned, chunk: Buffer): void {
  this[owner]?.data(chunk);
}
function onError(this: Owned, error: Error): void {
  this[owner]?.failed(error);
}
function onClose(this: Owned): void {
  this[owner]?.closed();
}

/** Gives a TCP connection its first owner. */
export function listenOnConnection(socket: Owned, first: ConnectionOwner): void {
  socket[owner] = first;
  socket.on("data", onData).on("error", onError).on("close", onClose);
}

/** Gives a TCP connection another owner. */
export function handOver(socket: Owned, next: ConnectionOwner): void {
  socket[owner] = next;
}
