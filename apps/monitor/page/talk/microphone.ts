import captureUrl from "./capture-worklet.ts?worker&url";
import { TalkError, type TalkErrorName } from "./talk-error.ts";

/** The uplink format (docs/protocol.md): 16 kHz, mono, 60 ms per packet. */
const sampleRate = 16_000;
const packetMs = 60;
const bitrate = 24_000;
const maxBacklog = 20;
/** A sound is shown as a voice if it is louder than this, and three times as loud as the quietest recent sound. */
const minVoiceRms = 0.01;

/** An open microphone. */
export interface Microphone {
  close(): void;
}

/** Listeners for the events of a microphone. */
export interface MicrophoneListeners {
  /** Called with each Opus packet. */
  onPacket(bytes: Uint8Array<ArrayBuffer>): void;
  /** Called with the root mean square of the last 60 ms, 0 to 1, and whether it sounds like a voice. */
  onLevel(rms: number, isVoice: boolean): void;
  /** Called when the microphone was unplugged or its permission withdrawn. */
  onLost(): void;
}

/** Returns why this browser cannot record, or undefined if it can. The user is not asked yet. */
export function checkMicrophone(): TalkErrorName | undefined {
  if (!isSecureContext) return "insecure";
  if (!("mediaDevices" in navigator)) return "no-microphone";
  return "AudioEncoder" in globalThis && "AudioWorkletNode" in globalThis ? undefined : "no-encoder";
}

/** Opens the microphone; the browser may ask its user for permission. Throws TalkError with the reason if it cannot. */
export async function openMicrophone(listeners: MicrophoneListeners): Promise<Microphone> {
  const missing = checkMicrophone();
  if (missing) throw new TalkError(missing);
  const config: AudioEncoderConfig = {
    codec: "opus",
    sampleRate,
    numberOfChannels: 1,
    bitrate,
    opus: { frameDuration: packetMs * 1000 },
  };
  if (!(await AudioEncoder.isConfigSupported(config)).supported) throw new TalkError("no-encoder");
  const stream = await openStream();
  const context = new AudioContext();
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      listeners.onPacket(bytes);
    },
    error: listeners.onLost,
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
      listeners.onLevel(rms, rms > Math.max(minVoiceRms, quietest * 3));
      // If the encoder cannot keep up, the newest audio is dropped so that memory stays bounded.
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
    for (const track of stream.getTracks()) track.addEventListener("ended", listeners.onLost);
    await context.resume();
    return { close };
  } catch (cause) {
    close();
    throw cause instanceof TalkError ? cause : new TalkError("no-encoder", { cause });
  }
}

async function openStream(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new TalkError("microphone-denied", { cause });
    if (name === "NotReadableError") throw new TalkError("microphone-busy", { cause });
    throw new TalkError("no-microphone", { cause });
  }
}
