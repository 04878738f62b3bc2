/** The reason why a packet is invalid. Stable, for counters. */
export type OpusPacketProblem = "empty" | "too-long" | "malformed" | "undecodable";

/** The only error that an invalid packet causes. */
export class OpusPacketError extends Error {
  override readonly name = "OpusPacketError";
  readonly code: OpusPacketProblem;
  constructor(code: OpusPacketProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The longest packet that is read, in bytes. It is the size of the decoder's input buffer, far above any device's packets. */
export const maxOpusPacketBytes = 8192;

const maxFrameBytes = 1275;
const maxPacketMs = 120;

/**
 * Checks an Opus packet by RFC 6716 §3.2-3.4 without decoding it, and returns its duration in ms (2.5 to 120). Packets of
 * 1 to 3 bytes (silence under DTX) are valid, an empty one is not. Throws `OpusPacketError`.
 */
export function readOpusPacket(packet: Uint8Array): { readonly durationMs: number } {
  if (packet.length === 0)
    throw new OpusPacketError("empty", "expected an Opus packet of at least 1 byte, got 0 bytes");
  if (packet.length > maxOpusPacketBytes) {
    throw new OpusPacketError(
      "too-long",
      `expected an Opus packet of at most ${maxOpusPacketBytes} bytes, got ${packet.length}`,
    );
  }
  const toc = packet[0]!;
  const { frames, bytes } = readFrames(packet, toc & 3);
  if (bytes.some((length) => length > maxFrameBytes)) throw malformed(`a frame has more than ${maxFrameBytes} bytes`);
  const durationMs = frames * frameMs(toc >> 3);
  if (durationMs > maxPacketMs) throw malformed(`it lasts ${durationMs} ms, more than ${maxPacketMs} ms`);
  return { durationMs };
}

function malformed(what: string) {
  return new OpusPacketError("malformed", `malformed Opus packet: ${what}`);
}

function frameMs(config: number): number {
  if (config < 12) return [10, 20, 40, 60][config & 3]!;
  if (config < 16) return [10, 20][config & 1]!;
  return [2.5, 5, 10, 20][config & 3]!;
}

function readFrames(packet: Uint8Array, code: number): { frames: number; bytes: number[] } {
  const rest = packet.length - 1;
  if (code === 0) return { frames: 1, bytes: [rest] };
  if (code === 1) {
    if (rest % 2 !== 0) throw malformed("two equal frames in an odd number of bytes");
    return { frames: 2, bytes: [rest / 2, rest / 2] };
  }
  if (code === 2) {
    const first = readLength(packet, 1);
    const second = packet.length - first.next - first.length;
    if (second < 0) throw malformed("the first of two frames is longer than the packet");
    return { frames: 2, bytes: [first.length, second] };
  }
  return readManyFrames(packet);
}

function readManyFrames(packet: Uint8Array): { frames: number; bytes: number[] } {
  const head = packet[1];
  if (head === undefined) throw malformed("its frame count is missing");
  const frames = head & 63;
  if (frames === 0) throw malformed("its frame count is 0");
  let next = 2;
  let padding = 0;
  if (head & 64) {
    for (let step = 255; step === 255; next++) {
      step = packet[next] ?? -1;
      if (step < 0) throw malformed("the padding's length is cut off");
      padding += step === 255 ? 254 : step;
    }
  }
  const bytes: number[] = [];
  if (head & 128) {
    for (let frame = 1; frame < frames; frame++) {
      const { length, next: after } = readLength(packet, next);
      bytes.push(length);
      next = after;
    }
    bytes.push(packet.length - next - padding - bytes.reduce((sum, length) => sum + length, 0));
  } else {
    const each = (packet.length - next - padding) / frames;
    if (!Number.isInteger(each)) throw malformed(`${frames} equal frames do not fill the packet`);
    bytes.push(each);
  }
  if (bytes.at(-1)! < 0) throw malformed("frames and padding are longer than the packet");
  return { frames, bytes };
}

function readLength(packet: Uint8Array, at: number): { length: number; next: number } {
  const first = packet[at];
  if (first === undefined) throw malformed("a frame's length is cut off");
  if (first < 252) return { length: first, next: at + 1 };
  const second = packet[at + 1];
  if (second === undefined) throw malformed("a frame's length is cut off");
  return { length: second * 4 + first, next: at + 2 };
}
