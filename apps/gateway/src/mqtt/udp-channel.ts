import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { datagramHeaderBytes, encodeDatagramHeader, packetDuration, type DatagramHeader } from "@voxbus/protocol";

/** The cipher of the channel. Devices know no other. */
export const encryption = "aes-128-ctr";
/** A device sends no more than a packet for each of these, ms, … */
const shortestPacketMs = 20;
/** … and at most as many as these at once, after it was held up. */
const burst = 150;
/** After this number of packets in a row from another port, a device has got a new one from its router. */
const movedAfter = 3;

/** The address of a datagram. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Why a datagram is not taken, by the name under which it is counted. */
export type DatagramDrop = "udp-unknown" | "udp-replay" | "udp-jump" | "udp-foreign" | "udp-malformed";

/**
 * The keys of one audio channel, and the rules for what arrives on it (docs/protocol.md, audio over UDP). The cipher does not
 * authenticate. So the random bits of the header, the order and the sender's address decide.
 */
export class UdpChannel {
  readonly key = randomBytes(16);
  readonly ssrc = randomBytes(4).readUInt32BE();
  readonly flags = randomBytes(1).readUInt8();
  /** The address from which the device must send; undefined: any. */
  readonly #from: string | undefined;
  readonly #openedAt: number;
  #port: number | undefined;
  #address = "";
  #newPort = 0;
  #newPortPackets = 0;
  #lastSeq = 0;
  #seq = 0;
  /** The position in the sound that was sent, ms. */
  #position = 0;

  /** `now` in ms. */
  constructor(from: string | undefined, now: number) {
    this.#from = from;
    this.#openedAt = now;
  }

  /** The number under which datagrams find their channel: 40 random bits. */
  get cookie(): number {
    return cookieOf(this);
  }

  /** The address to send to. Undefined before the device's first packet. */
  get peer(): Peer | undefined {
    return this.#port === undefined ? undefined : { address: this.#address, port: this.#port };
  }

  /** The nonce that the device is given. */
  get nonce(): Uint8Array {
    return encodeDatagramHeader({ flags: this.flags, ssrc: this.ssrc, size: 0, timestamp: 0, seq: 0 });
  }

  /** Judges a datagram with this channel's cookie. Returns the reason to drop it, or undefined if it is taken. */
  judge({ seq }: DatagramHeader, { address, port }: Peer, now: number): DatagramDrop | undefined {
    if (this.#from !== undefined && address !== this.#from) return "udp-foreign";
    if (seq <= this.#lastSeq) return "udp-replay";
    // One packet with the highest seq would make a replay of every later one.
    if (seq > (now - this.#openedAt) / shortestPacketMs + burst) return "udp-jump";
    if (this.#port !== undefined && (port !== this.#port || address !== this.#address)) {
      this.#newPortPackets = port === this.#newPort ? this.#newPortPackets + 1 : 1;
      this.#newPort = port;
      if (this.#newPortPackets < movedAfter) return "udp-foreign";
    }
    this.#newPortPackets = 0;
    this.#address = address;
    this.#port = port;
    this.#lastSeq = seq;
    return undefined;
  }

  /** Decrypts the packet of a datagram that was taken. */
  decrypt(datagram: Uint8Array): Uint8Array {
    const cipher = createDecipheriv(encryption, this.key, datagram.subarray(0, datagramHeaderBytes));
    return cipher.update(datagram.subarray(datagramHeaderBytes));
  }

  /**
   * Makes the datagram of a packet. No two share a part of the key stream, in either direction: the flags are not the
   * device's, and the timestamp is the position in the sound, which always grows.
   */
  encrypt(packet: Uint8Array): Uint8Array {
    const { ssrc, key } = this;
    const flags = this.flags ^ 0xff;
    const header = { flags, ssrc, size: packet.byteLength, timestamp: this.#position, seq: ++this.#seq };
    this.#position += Math.max(1, Math.round(packetDuration(packet)));
    const head = encodeDatagramHeader(header);
    return Buffer.concat([head, createCipheriv(encryption, key, head).update(packet)]);
  }
}

/** Gives the number under which a datagram's channel is found. */
export function cookieOf({ ssrc, flags }: Pick<DatagramHeader, "ssrc" | "flags">): number {
  return ssrc * 256 + flags;
}
