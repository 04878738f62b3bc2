import {
  createOpusDecoder,
  createVoiceDetector,
  OpusPacketError,
  voiceFrameSamples,
  type OpusDecoder,
} from "@voxbus/audio";

/** Tells which packets of a stream hold a voice. */
export interface VoiceGate {
  /** True if at least half of the packet's sound is voiced. An invalid packet is not. */
  isVoiced(packet: Uint8Array): boolean;
  close(): void;
}

/** Opens a gate for one stream of packets. */
export function openVoiceGate(): VoiceGate {
  const decoder: OpusDecoder = createOpusDecoder({ sampleRate: 16_000 });
  const detector = createVoiceDetector();
  let rest = new Int16Array();

  function decode(packet: Uint8Array): Int16Array {
    try {
      return decoder.decode(packet);
    } catch (error) {
      if (!(error instanceof OpusPacketError)) throw error;
      return new Int16Array();
    }
  }
  return {
    isVoiced(packet) {
      const decoded = decode(packet);
      const samples = new Int16Array(rest.length + decoded.length);
      samples.set(rest);
      samples.set(decoded, rest.length);
      let frames = 0;
      let voiced = 0;
      for (; (frames + 1) * voiceFrameSamples <= samples.length; frames++) {
        const frame = samples.subarray(frames * voiceFrameSamples, (frames + 1) * voiceFrameSamples);
        if (detector.write(frame)) voiced += 1;
      }
      rest = samples.slice(frames * voiceFrameSamples);
      return voiced > 0 && voiced * 2 >= frames;
    },
    close() {
      decoder.close();
      detector.close();
    },
  };
}
