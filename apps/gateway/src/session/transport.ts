import type { CloseName, DeviceHello, DropReason, FramingVersion, ServerMessage } from "@voxbus/protocol";
import type { Limits } from "../limits.ts";
import type { Clock } from "../playout/clock.ts";

/** The session that a transport serves. It takes what the device sends. Its methods never throw. */
export interface TransportSession {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "slowMs">;
  /** True once the device has answered a ping. */
  readonly answersPings: boolean;
  /** Bytes came from the network. Called before they are looked at. */
  read(bytes: number): void;
  /** A text message came. */
  text(data: Buffer): void;
  /** A binary message came, in the transport's framing. */
  audio(data: Buffer): void;
  /** A ping came, and was answered. */
  pinged(): void;
  ponged(): void;
  /** The connection failed. `name`: the device broke the protocol, and is to be closed. */
  broke(error: Error, name: CloseName | undefined): void;
  /** Ends the session for a reason that only the transport sees. */
  close(name: CloseName): void;
  /** The connection is gone. Called once, last. */
  gone(code: number): void;
}

/** The part of the server's hello that tells a device how to use its audio channel. */
export type ChannelOffer = Pick<Extract<ServerMessage, { readonly type: "hello" }>, "transport" | "version" | "udp">;

/**
 * One connection to one device. It frames what it carries, and knows whether the device takes it in. Nothing else depends
 * on what it is made of.
 */
export interface Transport {
  /**
   * True for a device that stays connected while it is idle. It opens its audio channel for each conversation, and the
   * connection outlives it.
   */
  readonly reachesIdle: boolean;
  /** The interval at which the device itself shows signs of life, ms. Undefined: it is pinged. */
  readonly keepaliveMs: number | undefined;
  /** The gateway's address as the device reached it; empty if it does not matter. */
  readonly localAddress: string;
  /** True while the audio channel is open. */
  readonly hasAudio: boolean;
  /**
   * The address (host:port) to which the device was told to send its sound, until the first of it comes. Undefined if none
   * is missing.
   */
  readonly missingAudioAt: string | undefined;
  /** The most bytes of an Opus packet for the device. */
  readonly longestPacket: number;
  /** The framing of audio, as presence and `opened` tell it. */
  readonly framing: FramingVersion;
  /** Begins to serve a session. Called once, first. */
  start(session: TransportSession): void;
  /** Opens the audio channel as the device's hello asks. */
  openAudio(hello: DeviceHello): ChannelOffer;
  /** Closes the audio channel. A connection that does not outlive it stays as it is. */
  closeAudio(): void;
  writeText(text: string): void;
  /** Writes one Opus packet. `timestamp` in ms. */
  writeAudio(packet: Uint8Array, timestamp: number): void;
  /** True if the device takes in sound. Asked whenever there is some. */
  writable(): boolean;
  /** Gives the Opus packet of a binary message, or the reason to drop it. */
  decode(data: Uint8Array): Uint8Array | DropReason;
  /** Asks the device for a sign of life. */
  ping(): void;
  /** Stops reading, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the connection in order, and drops it later if need be. */
  close(code: number, name: CloseName): void;
  /** Drops the connection at once. */
  destroy(): void;
}
