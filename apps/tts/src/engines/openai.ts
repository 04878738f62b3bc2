import OpenAI, { APIConnectionError, APIError } from "openai";
import { type Sound, TtsError, type TtsEngine } from "./engine.ts";
import { readPcmStream } from "./pcm-stream.ts";

/** Where speech comes from and how. */
export interface OpenAiSpeechOptions {
  /** Base URL of an OpenAI-compatible server, such as http://127.0.0.1:8880/v1; default: OpenAI's own. */
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly model: string;
  readonly voice: string;
  /** Hz of the raw PCM that is asked for; without it WAV is asked for, whose header says it. */
  readonly sampleRate?: number | undefined;
  /** How long the server may say nothing, before the first sound and between two pieces; ms. */
  readonly timeoutMs: number;
}

/**
 * Any server that speaks OpenAI's `/audio/speech`. Sound is passed on as it comes in; nothing is tried twice, since a
 * late sentence is worth less than the next engine's.
 */
export function createOpenAiEngine(options: OpenAiSpeechOptions): TtsEngine {
  const { url, key, model, voice: standard, sampleRate, timeoutMs } = options;
  // The client refuses to be made without a key, and servers of one's own want none.
  const client = new OpenAI({ baseURL: url ?? null, apiKey: key ?? "none", maxRetries: 0, timeout: timeoutMs });
  const closing = new AbortController();
  return {
    name: "openai",
    repeatable: false,
    longestText: 4096,
    speaks: () => true,
    synthesize: async function* ({ text, voice, speed = 1 }, signal): AsyncGenerator<Sound> {
      if (!/[\p{L}\p{N}]/u.test(text)) return;
      const silence = new AbortController();
      const stop = AbortSignal.any([signal, closing.signal, silence.signal]);
      // Stands still while the reader has the sound: a reader may take its time.
      let watch: NodeJS.Timeout | undefined;
      const listen = () => (watch = setTimeout(() => silence.abort(new Error("no sound")), timeoutMs));
      try {
        stop.throwIfAborted();
        listen();
        const response = await client.audio.speech.create(
          { model, input: text, voice: voice ?? standard, response_format: sampleRate ? "pcm" : "wav", speed },
          { signal: stop },
        );
        if (!response.body) throw new TtsError("bad-audio", "the speech server sent no body");
        for await (const sound of readPcmStream(response.body, sampleRate)) {
          clearTimeout(watch);
          yield sound;
          listen();
        }
        // The client ends a stream quietly when its signal is aborted.
        stop.throwIfAborted();
      } catch (cause) {
        signal.throwIfAborted();
        if (closing.signal.aborted) throw new TtsError("unavailable", "the speech engine is closed", { cause });
        if (silence.signal.aborted) throw new TtsError("time-out", `no sound for ${timeoutMs} ms`, { cause });
        throw nameProblem(cause);
      } finally {
        clearTimeout(watch);
        silence.abort(new Error("nobody listens"));
      }
    },
    close: async () => closing.abort(new Error("the speech engine is closed")),
  };
}

function nameProblem(cause: unknown): TtsError {
  if (cause instanceof TtsError) return cause;
  if (cause instanceof APIConnectionError) {
    return new TtsError("unavailable", "the speech server cannot be reached", { cause });
  }
  if (cause instanceof APIError) {
    return new TtsError("refused", `the speech server answered ${String(cause.status ?? "an error")}`, { cause });
  }
  return new TtsError("failed", "the speech server broke off", { cause });
}
