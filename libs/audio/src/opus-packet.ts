/** The reason why a packet is invalid. Stable, for counters. */
export type OpusPacketProblem = (typeof opusPacketProblems)[number];
/** Every problem of a packet. */
export const opusPacketProblems = ["empty", "too-long", "malformed", "undecodable"] as const;

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
  const { durationMs } = readLayout(packet);
  return { durationMs };
}

/** The frames of an Opus packet, without their padding. */
export interface OpusFrames {
  /** The form of the frames: the first byte of a packet with one of them. */
  readonly form: number;
  /** True if the frames hold two channels. */
  readonly stereo: boolean;
  /** The duration of each frame: 2.5, 5, 10, 20, 40 or 60 ms. */
  readonly frameMs: number;
  /** Views of the packet. A frame of silence may have 0 bytes. */
  readonly frames: readonly Uint8Array[];
}

/** Takes an Opus packet apart into its frames. Throws `OpusPacketError`. */
export function splitOpusPacket(packet: Uint8Array): OpusFrames {
  const { frames, bytes, start } = readLayout(packet);
  const toc = packet[0]!;
  let at = start;
  const parts = Array.from({ length: frames }, (_, n) => {
    const length = bytes[n] ?? bytes[0]!;
    at += length;
    return packet.subarray(at - length, at);
  });
  return { form: toc & 0xfc, stereo: (toc & 4) !== 0, frameMs: frameMs(toc >> 3), frames: parts };
}

/** Joins frames of one form to a packet, by RFC 6716 §3.2. The caller keeps to 120 ms, and to frames of `splitOpusPacket`. */
export function joinOpusFrames(form: number, frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [first] = frames;
  if (first === undefined) throw new RangeError("expected at least one Opus frame, got 0");
  if (frames.length === 1) return concatenate([Uint8Array.of(form), first]);
  const isEqual = frames.every(({ length }) => length === first.length);
  const head = [form | 3, frames.length | (isEqual ? 0 : 128)];
  if (!isEqual) for (const { length } of frames.slice(0, -1)) head.push(...writeLength(length));
  return concatenate([Uint8Array.from(head), ...frames]);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function writeLength(length: number): readonly number[] {
  if (length < 252) return [length];
  const first = 252 + (length & 3);
  return [first, (length - first) / 4];
}

/** The frames of a packet: their number and lengths (one length for all, or one each), and where the first one starts. */
interface Layout {
  readonly frames: number;
  readonly bytes: readonly number[];
  readonly start: number;
}

/** Checks a packet, and finds its frames. */
function readLayout(packet: Uint8Array): Layout & { readonly durationMs: number } {
  if (packet.length === 0)
    throw new OpusPacketError("empty", "expected an Opus packet of at least 1 byte, got 0 bytes");
  if (packet.length > maxOpusPacketBytes) {
    throw new OpusPacketError(
      "too-long",
      `expected an Opus packet of at most ${maxOpusPacketBytes} bytes, got ${packet.length}`,
    );
  }
  const toc = packet[0]!;
  const layout = readFrames(packet, toc & 3);
  const { frames, bytes } = layout;
  if (bytes.some((length) => length > maxFrameBytes)) throw malformed(`a frame has more than ${maxFrameBytes} bytes`);
  const durationMs = frames * frameMs(toc >> 3);
  if (durationMs > maxPacketMs) throw malformed(`it lasts ${durationMs} ms, more than ${maxPacketMs} ms`);
  return { ...layout, durationMs };
}

function malformed(what: string) {
  return new OpusPacketError("malformed", `malformed Opus packet: ${what}`);
}

function frameMs(config: number): number {
  if (config < 12) return [10, 20, 40, 60][config & 3]!;
  if (config < 16) return [10, 20][config & 1]!;
  return [2.5, 5, 10, 20][config & 3]!;
}

function readFrames(packet: Uint8Array, code: number): Layout {
  const rest = packet.length - 1;
  if (code === 0) return { frames: 1, bytes: [rest], start: 1 };
  if (code === 1) {
    if (rest % 2 !== 0) throw malformed("two equal frames in an odd number of bytes");
    return { frames: 2, bytes: [rest / 2], start: 1 };
  }
  if (code === 2) {
    const first = readLength(packet, 1);
    const second = packet.length - first.next - first.length;
    if (second < 0) throw malformed("the first of two frames is longer than the packet");
    return { frames: 2, bytes: [first.length, second], start: first.next };
  }
  return readManyFrames(packet);
}

function readManyFrames(packet: Uint8Array): Layout {
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
  return { frames, bytes, start: next };
}

function readLength(packet: Uint8Array, at: number): { length: number; next: number } {
  const first = packet[at];
  if (first === undefined) throw malformed("a frame's length is cut off");
  if (first < 252) return { length: first, next: at + 1 };
  const second = packet[at + 1];
  if (second === undefined) throw malformed("a frame's length is cut off");
  return { length: second * 4 + first, next: at + 2 };
}
