export { createEndpointer, type Endpoint, type Endpointer } from "./endpointer.ts";
export {
  createOpusDecoder,
  createOpusEncoder,
  type OpusDecoder,
  type OpusEncoder,
  type OpusSampleRate,
} from "./opus.ts";
export { maxOpusPacketBytes, OpusPacketError, type OpusPacketProblem, readOpusPacket } from "./opus-packet.ts";
export { createResampler, type Resampler } from "./resampler.ts";
export { serveWorker, type WorkerHandler, type WorkerTask } from "./serve-worker.ts";
export { createVoiceDetector, type VoiceDetector, voiceFrameSamples } from "./voice-detector.ts";
export { readWav, readWavHeader, WavError, type WavHeader, writeWav } from "./wav.ts";
export { createWorkerPool, type OpenTask, WorkerError, type WorkerPool, type WorkerProblem } from "./worker-pool.ts";
export type { WorkerContract } from "./worker-messages.ts";
