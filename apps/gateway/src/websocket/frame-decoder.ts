import { decodeFrame, ProtocolError, type DropReason, type FramingVersion } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";

/** Takes a device's audio packets out of their framing. */
export class FrameDecoder {
  /** True for a client that announces a framing but sends bare packets. Its first frame decides. */
  #bare: boolean | undefined;

  /** Gives the Opus packet of a binary message, or the reason to drop it (docs/protocol.md, framing). */
  decode(framing: FramingVersion, data: Uint8Array): Uint8Array | DropReason {
    const packet = framing === 1 || this.#bare ? data : this.#unwrap(framing, data);
    if (packet === undefined) return "bad-frame";
    if (packet.byteLength === 0) return "empty";
    return packet.byteLength > fixedLimits.packetBytes ? "oversize" : packet;
  }

  #unwrap(framing: FramingVersion, data: Uint8Array): Uint8Array | undefined {
    try {
      const { packet } = decodeFrame(framing, data);
      this.#bare = false;
      return packet;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (this.#bare === false || data.byteLength === 0) return undefined;
      this.#bare = true;
      return data;
    }
  }
}
