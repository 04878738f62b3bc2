import { connect, type Socket } from "node:net";

/** The answer on one connection. */
export interface Exchange {
  /** All received bytes. */
  readonly answer: Buffer;
  /** True if the other end closed it first, cleanly or not. */
  readonly closed: boolean;
}

// The rest of an answer follows soon.
const moreMs = 60;

/**
 * Writes bytes and waits until `isEnough` accepts the answer, the other end closes, or nothing comes for `waitMs`. Then it resets
 * the connection, so that no port stays in use.
 */
export function exchange(
  port: number,
  pieces: readonly Uint8Array[],
  options: { readonly waitMs: number; readonly isEnough: (answer: Buffer) => boolean; readonly cut?: boolean },
): Promise<Exchange> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let closed = false;
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const settle = () => {
      clearTimeout(timer);
      socket.resetAndDestroy();
      resolve({ answer: Buffer.concat(chunks), closed });
    };
    // Bytes that have already come are read first.
    let timer = setTimeout(() => setImmediate(settle), options.waitMs);
    socket.on("connect", () => {
      timer.refresh();
      for (const piece of pieces) socket.write(piece);
      // Disconnects in mid-request, like a device that loses its network.
      if (options.cut) socket.write("", () => setTimeout(settle, 5));
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(() => setImmediate(settle), moreMs);
      if (options.isEnough(Buffer.concat(chunks))) settle();
    });
    // A reset by the other end is an answer too.
    socket.on("error", () => (closed = true));
    socket.on("close", () => {
      closed = true;
      settle();
    });
  });
}

/** Makes a client's WebSocket frame, masked. `lie` replaces its length. */
export function makeFrame(
  payload: Uint8Array,
  { opcode, fin = true, rsv = 0, masked = true, lie }: { readonly opcode: number; readonly fin?: boolean; readonly rsv?: number; readonly masked?: boolean; readonly lie?: number }, // prettier-ignore
): Buffer {
  const length = lie ?? payload.byteLength;
  const long = length > 0xffff ? 127 : length > 125 ? 126 : length;
  const head = Buffer.alloc(long === 127 ? 10 : long === 126 ? 4 : 2);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | long;
  if (long === 126) head.writeUInt16BE(length, 2);
  if (long === 127) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = Buffer.from([0x11, 0xa2, 0x33, 0xc4]);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]);
}
