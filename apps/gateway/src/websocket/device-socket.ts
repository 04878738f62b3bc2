import { WebSocket } from "ws";

/** Takes what arrives on a WebSocket. */
export interface SocketOwner {
  received(data: Buffer, isBinary: boolean): void;
  ponged(): void;
  pinged(): void;
  socketFailed(error: Error & { readonly code?: string }): void;
  gone(code: number): void;
}

/**
 * The WebSocket of a device. Its events go to its one owner, and to no listener: those of an idle socket would take 0.6 KB of
 * memory. Only `close` has listeners too.
 */
export class DeviceSocket extends WebSocket {
  owner: SocketOwner | undefined;
  /** Called when the socket is gone, before its owner is told. */
  left: (() => void) | undefined;

  override emit(event: string | symbol, ...details: unknown[]): boolean {
    const { owner } = this;
    if (event === "close") this.left?.();
    if (owner === undefined) return super.emit(event, ...details);
    if (event === "message") owner.received(details[0] as Buffer, details[1] as boolean);
    else if (event === "pong") owner.ponged();
    else if (event === "ping") owner.pinged();
    else if (event === "error") owner.socketFailed(details[0] as Error);
    else {
      if (event === "close") owner.gone(details[0] as number);
      return super.emit(event, ...details);
    }
    return true;
  }
}
