// oxlint-disable unicorn/require-post-message-target-origin -- a MessagePort has no origin
import playoutUrl from "./playout-worklet.ts?worker&url";
import { TroubleError } from "./trouble.ts";

/** The downlink of docs/protocol.md: 24 kHz, mono. */
const sampleRate = 24_000;
const packetMicroseconds = 60_000;

/** The loudspeaker: Opus packets in, sound out, through a jitter buffer. */
export interface Speaker {
  play(packet: Uint8Array<ArrayBuffer>): void;
  /** What was given so far is all: resolves when it was played, at once when nothing waits. */
  finish(): Promise<void>;
  /** Silence, at once. */
  clear(): void;
  /** 0 to 100. */
  setVolume(volume: number): void;
  close(): void;
}

/** What the loudspeaker tells. */
export interface SpeakerEffects {
  /** The first sample after a silence sounds now. */
  sound(): void;
  /** Root mean square of the last 50 ms. */
  level(rms: number): void;
}

/** Opens the loudspeaker; browsers want a click before it. Throws TroubleError `no-decoder` where WebCodecs are missing. */
export async function openSpeaker(effects: SpeakerEffects): Promise<Speaker> {
  if (!("AudioDecoder" in globalThis) || !("AudioWorkletNode" in globalThis)) throw new TroubleError("no-decoder");
  const config: AudioDecoderConfig = { codec: "opus", sampleRate, numberOfChannels: 1 };
  if (!(await AudioDecoder.isConfigSupported(config)).supported) throw new TroubleError("no-decoder");
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.audioWorklet.addModule(playoutUrl);
  const node = new AudioWorkletNode(context, "playout", { numberOfInputs: 0, outputChannelCount: [1] });
  const gain = context.createGain();
  node.connect(gain).connect(context.destination);
  await context.resume();

  let timestamp = 0;
  let drained: (() => void) | undefined;
  node.port.onmessage = ({ data }: MessageEvent<"sound" | "drained" | { readonly level: number }>) => {
    if (data === "sound") effects.sound();
    else if (data === "drained") drained?.();
    else effects.level(data.level);
  };

  const decoder = new AudioDecoder({
    output: (audio) => {
      const samples = new Float32Array(audio.numberOfFrames);
      audio.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      node.port.postMessage({ samples, rate: audio.sampleRate }, [samples.buffer]);
      audio.close();
    },
    // A packet that does not decode is silence; the next one may be sound again.
    error: (error) => console.warn("a packet could not be decoded", error),
  });
  const configure = () => {
    if (decoder.state !== "closed") decoder.configure(config);
  };
  configure();

  return {
    play(packet) {
      if (decoder.state !== "configured") return;
      decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: packet }));
      timestamp += packetMicroseconds;
    },
    async finish() {
      if (decoder.state === "configured") await decoder.flush().catch(() => undefined);
      await new Promise<void>((resolve) => {
        drained = resolve;
        node.port.postMessage("end");
      });
    },
    clear() {
      if (decoder.state === "configured") decoder.reset();
      configure();
      node.port.postMessage("clear");
      drained?.();
    },
    setVolume: (volume) => void gain.gain.setTargetAtTime(volume / 70, context.currentTime, 0.02),
    close() {
      drained?.();
      if (decoder.state !== "closed") decoder.close();
      if (context.state !== "closed") void context.close();
    },
  };
}
