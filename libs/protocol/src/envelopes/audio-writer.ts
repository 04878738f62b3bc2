import { packetDuration } from "../device/packet-duration.ts";
import { encodeEnvelope, type Encoded } from "./codec.ts";
import { InAudio } from "./inbound.ts";

/** Writes one audio envelope of a session; `at` in ms since the epoch. The packet has at most 65,535 bytes. */
export type InAudioWriter = (seq: number, at: number, packet: Uint8Array) => Encoded<typeof InAudio>;

/** Values that take the widths which every seq, time, whole duration and length of a packet fits into. */
const widest = { seq: 0xffff_ffff, at: 2 ** 32, kind: "audio", duration: 120, body: new Uint8Array(0x100) } as const;
/** The places of the values, counted from the packet backwards. Between them stand the names of the fields. */
const places = { size: 2, duration: 9, at: 37, seq: 45 } as const;

/**
 * Creates the writer of a session's audio envelopes. Only the seq, the time and the packet with its duration differ from
 * frame to frame. They are written at their places into a copy of the rest. A duration that is no whole number of ms, as of
 * one frame of 2.5 ms, does not fit its place: such a packet takes the general encoder. The bytes are the caller's own.
 */
export function createInAudioWriter(session: string): InAudioWriter {
  const whole = encodeEnvelope(InAudio, { session, ...widest });
  const rest = whole.slice(0, whole.byteLength - widest.body.byteLength);
  const size = rest.byteLength;
  return (seq, at, packet) => {
    const duration = packetDuration(packet);
    if (!Number.isInteger(duration))
      return encodeEnvelope(InAudio, { session, seq, at, kind: "audio", duration, body: packet });
    const data = Buffer.allocUnsafe(size + packet.byteLength);
    data.set(rest);
    data[size - places.duration] = duration;
    data.writeUInt32BE(seq, size - places.seq);
    data.writeUInt32BE(Math.floor(at / 2 ** 32), size - places.at);
    data.writeUInt32BE(at % 2 ** 32, size - places.at + 4);
    data.writeUInt16BE(packet.byteLength, size - places.size);
    data.set(packet, size);
    return data as Uint8Array as Encoded<typeof InAudio>;
  };
}
