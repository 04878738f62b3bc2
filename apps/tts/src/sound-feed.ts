import type { OpenTask } from "@voxbus/workers";
import type { EncodeContract } from "./encode-worker.ts";
import type { Sound } from "./engines/engine.ts";

/** The way of an engine's sound into an encoder thread. The sound waits in the engine while the thread has 2 s of it. */
export interface SoundFeed {
  /** Writes sound. Resolves when the thread has room for more. Throws the signal's reason. */
  write(sound: Sound, signal: AbortSignal): Promise<void>;
  /** Counts a packet that came back, which makes room. */
  countPacket(): void;
}

const mostMs = 2000;
const packetMs = 60;
// Sound is cut at every 8th packet, where a thread can begin if the one before is lost.
const packetsPerPart = 8;

/**
 * Creates the feed of a task. With `keepsAll`, the whole sound is kept for another thread, which makes the same packets again
 * from the beginning. Otherwise it begins 0.5 s before the newest packet, with packets that are not quite the same.
 */
export function createSoundFeed(
  task: Pick<OpenTask<EncodeContract>, "write" | "forget">,
  { keepsAll }: { readonly keepsAll: boolean },
): SoundFeed {
  /** The number of inputs in front of the end of each part. */
  const partEnds: number[] = [];
  let inputs = 0;
  let written = 0;
  let packets = 0;
  let wake = () => {};

  function isFull(sampleRate: number): boolean {
    return (written * 1000) / sampleRate - packets * packetMs >= mostMs;
  }
  async function waitForRoom(sampleRate: number, signal: AbortSignal): Promise<void> {
    while (isFull(sampleRate) && !signal.aborted) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      signal.addEventListener("abort", wake, { once: true });
      await woken;
      signal.removeEventListener("abort", wake);
    }
    signal.throwIfAborted();
  }

  return {
    async write({ sampleRate, samples }, signal) {
      for (let at = 0; at < samples.length;) {
        await waitForRoom(sampleRate, signal);
        const partEnd = Math.round(((partEnds.length + 1) * packetsPerPart * packetMs * sampleRate) / 1000);
        const part = samples.slice(at, at + partEnd - written);
        task.write({ sampleRate, samples: part });
        inputs += 1;
        at += part.length;
        written += part.length;
        if (written === partEnd) partEnds.push(inputs);
      }
    },
    countPacket() {
      packets += 1;
      wake();
      if (keepsAll || packets % packetsPerPart > 0) return;
      const parts = packets / packetsPerPart - 1;
      const inputsBefore = partEnds[parts - 1];
      if (inputsBefore !== undefined) task.forget({ inputs: inputsBefore, results: parts * packetsPerPart });
    },
  };
}
