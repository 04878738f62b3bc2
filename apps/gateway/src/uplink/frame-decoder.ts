import { decodeFrame, ProtocolError, type DropReason, type FramingVersion } from "@voxbus/protocol";

/** The most bytes of one audio frame of a device. */
export const maxAudioBytes = 8192;

/** Takes a device's audio out of its framing. */
export class Unframer {
  /** True for a client that announces a framing and sends bare packets; known from its first frame on. */
  #raw: boolean | undefined;

  /** The Opus packet in a binary message, or why there is none (docs/protocol.md, framing). */
  unwrap(framing: FramingVersion, data: Uint8Array): Uint8Array | DropReason {
    const packet = framing === 1 || this.#raw ? data : this.#decode(framing, data);
    if (packet === undefined) return "bad-frame";
    if (packet.byteLength === 0) return "empty";
    return packet.byteLength > maxAudioBytes ? "oversize" : packet;
  }

  #decode(framing: FramingVersion, data: Uint8Array): Uint8Array | undefined {
    try {
      const { packet } = decodeFrame(framing, data);
      this.#raw = false;
      return packet;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (this.#raw === false || data.byteLength === 0) return undefined;
      this.#raw = true;
      return data;
    }
  }
}
