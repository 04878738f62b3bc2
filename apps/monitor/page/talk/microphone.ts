import captureUrl from "./capture-worklet.ts?worker&url";
import { TroubleError } from "./trouble.ts";

/** The uplink of docs/protocol.md: 16 kHz, mono, 60 ms a packet. */
const sampleRate = 16_000;
const packetMs = 60;
const bitrate = 24_000;
const maxBacklog = 20;
/** Louder than this, and than thrice the quietest of late, counts as a voice. For the display alone. */
const leastVoice = 0.01;

/** A microphone that is open. */
export interface Microphone {
  close(): void;
}

/** What a microphone gives. */
export interface MicrophoneEffects {
  /** One Opus packet. */
  packet(bytes: Uint8Array<ArrayBuffer>): void;
  /** Root mean square of the last 60 ms, 0 to 1, and whether it sounds like a voice. */
  level(rms: number, voice: boolean): void;
  /** It was taken away: unplugged, or the permission withdrawn. */
  lost(): void;
}

/** What is missing for a microphone in this browser, before it is asked; undefined: nothing. */
export function checkMicrophone(): TroubleError | undefined {
  if (!isSecureContext) return new TroubleError("insecure");
  if (!("mediaDevices" in navigator)) return new TroubleError("no-microphone");
  if (!("AudioEncoder" in globalThis) || !("AudioWorkletNode" in globalThis)) return new TroubleError("no-encoder");
  return undefined;
}

/** Opens the microphone; the browser may ask its user. Throws TroubleError saying what is missing. */
export async function openMicrophone(effects: MicrophoneEffects): Promise<Microphone> {
  const missing = checkMicrophone();
  if (missing) throw missing;
  const config: AudioEncoderConfig = {
    codec: "opus",
    sampleRate,
    numberOfChannels: 1,
    bitrate,
    opus: { frameDuration: packetMs * 1000 },
  };
  if (!(await AudioEncoder.isConfigSupported(config)).supported) throw new TroubleError("no-encoder");
  const stream = await openStream();
  const context = new AudioContext();
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      effects.packet(bytes);
    },
    error: effects.lost,
  });
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    if (encoder.state !== "closed") encoder.close();
    if (context.state !== "closed") void context.close();
  };
  try {
    encoder.configure(config);
    await context.audioWorklet.addModule(captureUrl);
    const node = new AudioWorkletNode(context, "capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    let timestamp = 0;
    let quietest = 1;
    node.port.onmessage = ({ data }: MessageEvent<{ samples: Float32Array<ArrayBuffer>; rms: number }>) => {
      const { samples, rms } = data;
      quietest = Math.min(rms, quietest * 1.01 + 0.000_01);
      effects.level(rms, rms > Math.max(leastVoice, quietest * 3));
      // A machine that cannot keep up loses the newest sound, not its memory.
      if (encoder.state !== "configured" || encoder.encodeQueueSize > maxBacklog) return;
      const audio = new AudioData({
        format: "f32-planar",
        sampleRate,
        numberOfFrames: samples.length,
        numberOfChannels: 1,
        timestamp,
        data: samples,
      });
      timestamp += packetMs * 1000;
      encoder.encode(audio);
      audio.close();
    };
    context.createMediaStreamSource(stream).connect(node);
    for (const track of stream.getTracks()) track.addEventListener("ended", effects.lost);
    await context.resume();
    return { close };
  } catch (cause) {
    close();
    throw cause instanceof TroubleError ? cause : new TroubleError("no-encoder", { cause });
  }
}

async function openStream(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new TroubleError("microphone-denied", { cause });
    if (name === "NotReadableError") throw new TroubleError("microphone-busy", { cause });
    throw new TroubleError("no-microphone", { cause });
  }
}
