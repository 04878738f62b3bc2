import type { DropReason, InControl, OutText, ServerMessage, TurnPlayed } from "@voxbus/protocol";
import type { Ticker } from "./clock.ts";
import type { Held } from "../limits.ts";

/** What the causality clock of a session does to the world; implemented by the session, and by tests. */
export interface SpeechEffects {
  /** The room for what replies hold. */
  readonly held: Held;
  /** The session's newest published seq. */
  seq(): number;
  /** Monotonic time in ms. */
  now(): number;
  /** Asks for a `tick` at `at`. */
  wake(ticker: Ticker, at: number): void;
  /** Writes JSON to the device. */
  writeText(message: OutText | ServerMessage): void;
  /** Writes one Opus packet to the device, `late` ms after it was due. */
  writeAudio(packet: Uint8Array, late?: number): void;
  /** False while the socket holds so much unsent data that play-out must wait. */
  writable(): boolean;
  /** Publishes an inbound control frame. */
  publish(body: InControl): void;
  /** Tells observers how a turn ended. */
  turnEnded(turn: TurnPlayed): void;
  /** Counts a dropped frame. */
  drop(reason: DropReason): void;
  /** A spoken apology in the device's language, as Opus packets of 60 ms; undefined where there is none. */
  apology(): readonly Uint8Array[] | undefined;
}

/** Limits of play-out that a device's profile sets; times in ms. */
export interface SpeechSettings {
  readonly lead: number;
  readonly deadlineMs: number;
  readonly dryMs: number;
}
