import type { Duplex } from "node:stream";
import type { CloseName } from "@voxbus/protocol";

const owner = Symbol("owner");
type Owned = { [owner]?: StreamOwner };

/** Takes the reads of a TCP connection. */
export interface StreamOwner {
  read(bytes: number): void;
}

// All connections share this function. A closure for each idle session would take memory.
function onData(this: Duplex & Owned, chunk: Buffer): void {
  this[owner]?.read(chunk.byteLength);
}

/** Gives a TCP connection its one owner, which sees each read before ws does. */
export function listenOnStream(stream: Duplex & Owned, gate: StreamOwner): void {
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
