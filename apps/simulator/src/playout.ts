import { OpusPacketError, readOpusPacket } from "@voxbus/audio";

/** The play-out of a device's loudspeaker: when it will have played what it was given. */
export interface Playout {
  /** Queues a packet behind those before it. One that is not valid Opus takes no time. */
  play(packet: Uint8Array): void;
  /** Throws away what was not played yet. A drain that waits ends without a call. */
  clear(): void;
  /** Calls `onDrained` once everything was played. */
  drain(): void;
}

/** Creates a play-out without sound. */
export function createPlayout(onDrained: () => void): Playout {
  let playsUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    play(packet) {
      playsUntil = Math.max(playsUntil, performance.now()) + readDuration(packet);
    },
    clear() {
      playsUntil = 0;
      clearTimeout(timer);
    },
    drain() {
      clearTimeout(timer);
      timer = setTimeout(onDrained, Math.max(0, playsUntil - performance.now()));
    },
  };
}

function readDuration(packet: Uint8Array): number {
  try {
    return readOpusPacket(packet).durationMs;
  } catch (error) {
    if (!(error instanceof OpusPacketError)) throw error;
    return 0;
  }
}
