// oxlint-disable unicorn/require-post-message-target-origin -- a MessagePort has no origin
import playoutUrl from "./playout-worklet.ts?worker&url";
import { TalkError } from "./talk-error.ts";

/** The downlink format (docs/protocol.md): 24 kHz, mono. */
const sampleRate = 24_000;
const packetMicroseconds = 60_000;
/** At this volume (0 to 100) the sound is played as it came. */
const neutralVolume = 70;

/** The loudspeaker. It decodes Opus packets and plays them through a jitter buffer. */
export interface Speaker {
  play(packet: Uint8Array<ArrayBuffer>): void;
  /** Resolves when everything has been played. */
  finish(): Promise<void>;
  /** Discards everything that has not been played. */
  clear(): void;
  /** Sets the volume, 0 to 100. */
  setVolume(volume: number): void;
}

/** Listeners for the events of a loudspeaker. */
export interface SpeakerListeners {
  /** Called when the first sample after a silence is played. */
  onSound(): void;
  /** Called with the root mean square of the last 50 ms. */
  onLevel(rms: number): void;
}

/** Opens the loudspeaker. Browsers require a click before. Throws TalkError `no-decoder` without WebCodecs. */
export async function openSpeaker(listeners: SpeakerListeners): Promise<Speaker> {
  if (!("AudioDecoder" in globalThis) || !("AudioWorkletNode" in globalThis)) throw new TalkError("no-decoder");
  const config: AudioDecoderConfig = { codec: "opus", sampleRate, numberOfChannels: 1 };
  if (!(await AudioDecoder.isConfigSupported(config)).supported) throw new TalkError("no-decoder");
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.audioWorklet.addModule(playoutUrl);
  const node = new AudioWorkletNode(context, "playout", { numberOfInputs: 0, outputChannelCount: [1] });
  const gain = context.createGain();
  node.connect(gain).connect(context.destination);
  await context.resume();

  let timestamp = 0;
  let drained: (() => void) | undefined;
  node.port.onmessage = ({ data }: MessageEvent<"sound" | "drained" | { readonly level: number }>) => {
    if (data === "sound") listeners.onSound();
    else if (data === "drained") drained?.();
    else listeners.onLevel(data.level);
  };

  const openDecoder = (): AudioDecoder => {
    const opened = new AudioDecoder({
      output: (audio) => {
        const samples = new Float32Array(audio.numberOfFrames);
        audio.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
        node.port.postMessage({ samples, rate: audio.sampleRate }, [samples.buffer]);
        audio.close();
      },
      // An error closes the decoder. The packet is lost; a new decoder takes the next one.
      error(error) {
        console.warn("packet not decoded", error);
        decoder = openDecoder();
      },
    });
    opened.configure(config);
    return opened;
  };
  let decoder = openDecoder();

  return {
    play(packet) {
      decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: packet }));
      timestamp += packetMicroseconds;
    },
    async finish() {
      // It rejects if `clear` or an error comes first. Nothing is left to decode then.
      await decoder.flush().catch(() => undefined);
      await new Promise<void>((resolve) => {
        drained = resolve;
        node.port.postMessage("end");
      });
    },
    clear() {
      decoder.reset();
      decoder.configure(config);
      node.port.postMessage("clear");
      drained?.();
    },
    setVolume: (volume) => void gain.gain.setTargetAtTime(volume / neutralVolume, context.currentTime, 0.02),
  };
}
