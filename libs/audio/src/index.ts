export { createEndOfSpeechDetector, type EndOfSpeechDetector, type SpeechState } from "./end-of-speech.ts";
export { addHiss, attenuate, createNoise, noiseKinds, noiseLevels, type NoiseKind, type NoiseLevel } from "./noises.ts";
export {
  createOpusDecoder,
  createOpusEncoder,
  type OpusDecoder,
  type OpusEncoder,
  type OpusSampleRate,
} from "./opus.ts";
export {
  maxOpusPacketBytes,
  OpusPacketError,
  opusPacketProblems,
  type OpusPacketProblem,
  readOpusPacket,
} from "./opus-packet.ts";
export { createOpusRegrouper, type OpusHead, type OpusRegrouper, type RegroupedSound } from "./opus-regrouper.ts";
export { createOggOpusWriter, type OggOpusWriter } from "./ogg-opus-writer.ts";
export { measurePeriodicity } from "./periodicity.ts";
export { createResampler, type Resampler } from "./resampler.ts";
export { createVoiceDetector, type VoiceDetector, voiceFrameSamples } from "./voice-detector.ts";
export {
  decodeSamples,
  frameBytes,
  isStreamLength,
  readWav,
  readWavHeader,
  type SampleFormat,
  WavError,
  type WavHeader,
  writeWav,
} from "./wav.ts";
