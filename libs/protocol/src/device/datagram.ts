import { ProtocolError } from "../errors.ts";

/**
 * The header of a datagram of the UDP audio channel (docs/protocol.md, audio over UDP). It is also the first counter block of
 * the AES-128-CTR with which the Opus packet behind it is encrypted.
 */
export interface DatagramHeader {
  /** Random bits of the channel: one byte of flags, and the four that RTP calls ssrc. */
  readonly flags: number;
  readonly ssrc: number;
  /** The length of the packet, bytes. */
  readonly size: number;
  /** The position in the sound, ms; stock firmware sends 0. */
  readonly timestamp: number;
  /** Counts the datagrams of one direction from 1. */
  readonly seq: number;
}

/** The bytes of a header. */
export const datagramHeaderBytes = 16;
const audioType = 1;
/** The most bytes of a datagram: a device's buffer has 1500. */
export const maxDatagramBytes = 1400;

/** Reads the header of a datagram. Throws `bad-frame` if it is too short or too long, or of another type, or its size does not match. */
export function decodeDatagramHeader(data: Uint8Array): DatagramHeader {
  const size = data.byteLength - datagramHeaderBytes;
  if (size < 1 || data.byteLength > maxDatagramBytes) {
    const limits = `${datagramHeaderBytes + 1} to ${maxDatagramBytes} bytes`;
    throw new ProtocolError("bad-frame", "datagram", `a datagram has ${limits}, got ${data.byteLength}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint8(0) !== audioType)
    throw new ProtocolError("bad-frame", "type", `the type of a datagram is ${audioType}, got ${view.getUint8(0)}`);
  if (view.getUint16(2) !== size)
    throw new ProtocolError("bad-frame", "size", `size says ${view.getUint16(2)} bytes, ${size} follow`);
  const [ssrc, timestamp, seq] = [view.getUint32(4), view.getUint32(8), view.getUint32(12)];
  return { flags: view.getUint8(1), ssrc, size, timestamp, seq };
}

/** Writes a header. With a size, a timestamp and a seq of 0 it is the nonce that a device is given. */
export function encodeDatagramHeader({ flags, ssrc, size, timestamp, seq }: DatagramHeader): Uint8Array {
  const header = new Uint8Array(datagramHeaderBytes);
  const view = new DataView(header.buffer);
  view.setUint8(0, audioType);
  view.setUint8(1, flags);
  view.setUint16(2, size);
  view.setUint32(4, ssrc);
  view.setUint32(8, timestamp >>> 0);
  view.setUint32(12, seq);
  return header;
}
