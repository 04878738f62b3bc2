import { writeFile } from "node:fs/promises";
import { createOpusDecoder, OpusPacketError, writeWav, type OpusSampleRate } from "@voxbus/audio";

const rates = [8000, 12_000, 16_000, 24_000, 48_000] as const;

/** Decodes the audio of answers and keeps it. */
export interface Speaker {
  /** Decodes a packet. One that is not valid Opus is counted and left out. */
  play(packet: Uint8Array): void;
  /** The length of the kept audio, in ms. */
  readonly ms: number;
  /** The number of packets that were not valid Opus. */
  readonly bad: number;
  /** Moves the kept audio to a WAV file. Writes no file and resolves with false if there is no audio. */
  save(file: string): Promise<boolean>;
}

/** Creates a speaker with the rate of the server's hello, in Hz. Rates that Opus lacks become 24,000, as on a device. */
export function createSpeaker(announcedRate: number): Speaker {
  const sampleRate: OpusSampleRate = rates.find((rate) => rate === announcedRate) ?? 24_000;
  const decoder = createOpusDecoder({ sampleRate });
  let blocks: Int16Array[] = [];
  let length = 0;
  let bad = 0;
  return {
    play(packet) {
      try {
        const block = decoder.decode(packet);
        blocks.push(block);
        length += block.length;
      } catch (error) {
        if (!(error instanceof OpusPacketError)) throw error;
        bad++;
      }
    },
    get ms() {
      return Math.round((length * 1000) / sampleRate);
    },
    get bad() {
      return bad;
    },
    async save(file) {
      if (length === 0) return false;
      const samples = new Int16Array(length);
      let at = 0;
      for (const block of blocks) {
        samples.set(block, at);
        at += block.length;
      }
      blocks = [];
      length = 0;
      await writeFile(file, writeWav({ sampleRate, samples }));
      return true;
    },
  };
}
