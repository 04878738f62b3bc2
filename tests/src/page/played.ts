/// <reference lib="dom" />
import { writeWav } from "@voxbus/audio";
import type { Page } from "playwright-core";

interface Recorded {
  readonly rate: number;
  readonly parts: Float32Array[];
}
type Recording = typeof globalThis & { recorded?: Recorded };

/** Records the sound that the page plays, from its next navigation on. */
export async function recordSpeaker(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const connect = AudioNode.prototype.connect as (this: AudioNode, ...args: unknown[]) => AudioNode;
    const record = (source: AudioNode) => {
      const context = source.context as AudioContext;
      const recorded: Recorded = { rate: context.sampleRate, parts: [] };
      (globalThis as Recording).recorded = recorded;
      // A worklet's script would have to come from the page's server. The long buffer covers a busy main thread.
      const recorder = context.createScriptProcessor(16_384, 1, 1);
      recorder.onaudioprocess = ({ inputBuffer }) => recorded.parts.push(inputBuffer.getChannelData(0).slice());
      connect.call(source, recorder);
      connect.call(recorder, context.destination);
    };
    AudioNode.prototype.connect = function (this: AudioNode, ...args: unknown[]) {
      if (args[0] instanceof AudioDestinationNode) record(this);
      return connect.call(this, ...args);
    };
  });
}

/** Returns everything that the loudspeaker has played, as a WAV file. */
export async function readPlayed(page: Page): Promise<Uint8Array> {
  const { rate, samples } = await page.evaluate(() => {
    const { recorded } = globalThis as Recording;
    const toInt = (sample: number) => Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
    return {
      rate: recorded?.rate ?? 48_000,
      samples: (recorded?.parts ?? []).flatMap((part) => Array.from(part, toInt)),
    };
  });
  return writeWav({ sampleRate: rate, samples: Int16Array.from(samples) });
}
