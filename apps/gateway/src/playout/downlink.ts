import type { CloseName, OutText, ServerMessage } from "@voxbus/protocol";

/** One session's way to its device. */
export interface Downlink {
  /** Writes JSON to the device. */
  writeText(message: OutText | ServerMessage): void;
  /** Writes one Opus packet to the device, `late` ms after it was due. */
  writeAudio(packet: Uint8Array, late?: number): void;
  /** True if the device takes in sound. If not, play-out waits. */
  writable(): boolean;
  /** Closes the session. */
  close(name: CloseName): void;
}
