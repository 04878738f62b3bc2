import type { ExtraFields } from "@voxbus/engines";
import { withoutText } from "@voxbus/subscriber";
import OpenAI, { APIConnectionError, APIError } from "openai";
import { type Speech, TtsError, type TtsEngine } from "./engine.ts";
import { readSpeechStream, type SoundFormat } from "./speech-stream.ts";

/** The server that speaks. */
interface SpeechServer {
  /** The name of its engine, `openai` if it is the one of the variables. */
  readonly name?: string | undefined;
  /** Base URL of an OpenAI-compatible server, such as http://127.0.0.1:8880/v1 (OpenAI's). */
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly model: string;
  readonly voice: string;
  /** Fields that are merged into each request. */
  readonly extra?: ExtraFields | undefined;
}

/** The server and its settings. */
export interface OpenAiSpeechOptions extends SpeechServer {
  /** The form of sound to ask for. Without it that is raw PCM where its rate is known, and WAV, which names its rate, elsewhere. */
  readonly format?: SoundFormat | undefined;
  /** Sample rate (Hz) of raw PCM. */
  readonly sampleRate?: number | undefined;
  /** The longest wait for the first sound (ms). */
  readonly firstSoundMs: number;
  /** The longest time between two pieces of sound (ms). */
  readonly nextSoundMs: number;
}

/**
 * Creates the engine that uses an OpenAI-compatible `/audio/speech` endpoint. Sound is passed on as it arrives. A failed
 * request is not repeated: the next engine is sooner.
 */
export function createOpenAiEngine(options: OpenAiSpeechOptions): TtsEngine {
  const { name = "openai", url, key, model, voice: standard, extra, sampleRate, firstSoundMs, nextSoundMs } = options;
  // The client needs a key, although most local servers do not. Its own log quotes texts.
  const client = new OpenAI({
    baseURL: url ?? null,
    apiKey: key ?? "none",
    maxRetries: 0,
    timeout: firstSoundMs + 1000,
    logLevel: "off",
  });
  const { format = sampleRate === undefined ? "wav" : "pcm" } = options;
  const closing = new AbortController();
  return {
    name,
    repeatable: false,
    longestText: 4096,
    speaks: () => true,
    synthesize: async function* ({ text, voice, speed = 1 }, signal): AsyncGenerator<Speech> {
      if (!/[\p{L}\p{N}]/u.test(text)) return;
      const silence = new AbortController();
      const stop = AbortSignal.any([signal, closing.signal, silence.signal]);
      // The timer stops while the reader works: a slow reader is no silence of the server.
      let watch: NodeJS.Timeout | undefined;
      let waitMs = firstSoundMs;
      const listen = () => (watch = setTimeout(() => silence.abort(new Error("no sound")), waitMs));
      try {
        stop.throwIfAborted();
        listen();
        const response = await client.audio.speech.create(
          {
            ...extra,
            model,
            input: text,
            voice: voice ?? standard,
            response_format: format,
            // Some servers refuse fields that they do not know.
            ...(speed !== 1 && { speed }),
          },
          { signal: stop },
        );
        if (!response.body) throw new TtsError("bad-audio", "the speech server sent no body");
        let sounded = false;
        for await (const speech of readSpeechStream(response.body, format, rateOf(response, sampleRate))) {
          clearTimeout(watch);
          sounded ||= "packets" in speech || speech.samples.length > 0;
          yield speech;
          waitMs = nextSoundMs;
          listen();
        }
        // When its signal aborts, the client ends the stream without an error.
        stop.throwIfAborted();
        if (!sounded) throw new TtsError("bad-audio", "the speech server sent no sound");
      } catch (cause) {
        signal.throwIfAborted();
        if (closing.signal.aborted) throw new TtsError("unavailable", "the speech engine is closed", { cause });
        if (silence.signal.aborted)
          throw new TtsError("time-out", `the speech server sent no sound for ${waitMs} ms`, { cause });
        throw nameProblem(cause);
      } finally {
        clearTimeout(watch);
        silence.abort(new Error("the reader left before the end"));
      }
    },
    close: async () => closing.abort(new Error("the speech engine is closed")),
  };
}

/**
 * Gives the rate of raw samples (Hz): the one that their type names, or the one that was asked for. Undefined for a body that
 * calls itself text, which may only be a WAV.
 */
function rateOf({ headers }: Response, asked: number | undefined): number | undefined {
  const type = headers.get("content-type") ?? "";
  if (/^(?:text\/|application\/(?:json|xml))/i.test(type)) return undefined;
  const named = Number(/^audio\/.*\brate=(\d{4,6})\b/i.exec(type)?.[1]);
  return named >= 4000 && named <= 192_000 ? named : asked;
}

function nameProblem(error: unknown): TtsError {
  if (error instanceof TtsError) return error;
  const cause = withoutText(error);
  if (error instanceof APIConnectionError) {
    return new TtsError("unavailable", "the speech server cannot be reached", { cause });
  }
  if (error instanceof APIError) {
    return new TtsError("refused", `the speech server answered ${String(error.status ?? "an error")}`, { cause });
  }
  return new TtsError("failed", "the speech server broke off", { cause });
}
