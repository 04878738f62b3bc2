import { ProtocolError } from "../errors.ts";

/** The binary framings of docs/protocol.md: 1 bare, 2 with a 16-byte header, 3 with a 4-byte header. */
export type FramingVersion = 1 | 2 | 3;

/** One audio frame: an Opus packet and, in version 2, a timestamp in ms (0 without one). */
export interface AudioFrame {
  readonly packet: Uint8Array;
  readonly timestamp: number;
}

/**
 * Unwraps one binary WebSocket message. Bytes 0-7 of a version 2 header are ignored, since bridges leave them
 * empty (docs/protocol.md, framing). Throws `bad-frame` for a truncated header or a length that does not match.
 */
export function decodeFrame(version: FramingVersion, data: Uint8Array): AudioFrame {
  if (version === 1) return { packet: data, timestamp: 0 };
  const header = version === 2 ? 16 : 4;
  if (data.byteLength < header) {
    throw new ProtocolError(
      "bad-frame",
      "header",
      `a version ${version} frame has a header of ${header} bytes, got ${data.byteLength}`,
    );
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const size = version === 2 ? view.getUint32(12) : view.getUint16(2);
  if (size !== data.byteLength - header) {
    throw new ProtocolError(
      "bad-frame",
      "payload_size",
      `payload_size says ${size} bytes, ${data.byteLength - header} follow`,
    );
  }
  return { packet: data.subarray(header), timestamp: version === 2 ? view.getUint32(8) : 0 };
}

/** Wraps one Opus packet for the wire; version 1 gives the packet itself, without a copy. `timestamp` in ms. */
export function encodeFrame(version: FramingVersion, packet: Uint8Array, timestamp = 0): Uint8Array {
  if (version === 1) return packet;
  const header = version === 2 ? 16 : 4;
  const data = new Uint8Array(header + packet.byteLength);
  const view = new DataView(data.buffer);
  if (version === 2) {
    view.setUint16(0, 2);
    view.setUint32(8, timestamp >>> 0);
    view.setUint32(12, packet.byteLength);
  } else {
    if (packet.byteLength > 0xffff)
      throw new ProtocolError("bad-frame", "payload_size", "a version 3 frame holds at most 65535 bytes");
    view.setUint16(2, packet.byteLength);
  }
  data.set(packet, header);
  return data;
}
