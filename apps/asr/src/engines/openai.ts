import { writeWav } from "@voxbus/audio";
import { parseJson } from "@voxbus/protocol";
import { withoutText } from "@voxbus/subscriber";
import type { ExtraFields } from "@voxbus/engines";
import type { Pool } from "@voxbus/pools";
import OpenAI, { toFile } from "openai";
import type { AsrEngine, Transcript } from "./engine.ts";
import { readHeardWords } from "./heard-words.ts";
import { joinSamples } from "../join-samples.ts";

/**
 * Creates the engine that uses an OpenAI-compatible `/audio/transcriptions` endpoint. It uploads a WAV when the utterance
 * has ended, so there are no partial transcripts. The requests run in a pool. A failed request is not repeated.
 */
export function createOpenAiEngine(options: {
  /** Its name, `openai` if it is the one of the variables. */
  readonly name?: string | undefined;
  /** Base URL of the server, such as http://localhost:8000/v1 (OpenAI's). */
  readonly url?: string | undefined;
  readonly model: string;
  /** Most local servers need none. */
  readonly key?: string | undefined;
  /** Fields that are merged into each request. */
  readonly extra?: ExtraFields | undefined;
  /** The pool of requests. It is closed with the engine. */
  readonly pool: Pool;
}): AsrEngine {
  const { name = "openai", url, model, key = "none", extra, pool } = options;
  const baseURL = url ?? "https://api.openai.com/v1";
  // The client's own log quotes answers.
  const client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0, logLevel: "off" });

  async function transcribe(samples: Int16Array, language: string, signal: AbortSignal): Promise<Transcript> {
    try {
      const wav = writeWav({ sampleRate: 16_000, samples });
      const answer: unknown = await client.audio.transcriptions.create(
        // The endpoint documents ISO 639-1 for the language.
        { ...extra, file: await toFile(wav, "utterance.wav"), model, language: language.split("-")[0]! },
        { signal },
      );
      const heard = readHeardWords(readAnswer(answer));
      return heard === "" ? { text: heard, language, reason: "nothing-heard" } : { text: heard, language };
    } catch (error) {
      signal.throwIfAborted();
      throw nameProblem(error);
    }
  }

  return {
    name,
    recorder: pool.recorder,
    room: () => pool.room("high"),
    waitMs: () => pool.waitMs("high"),
    open({ language, device = "" }, signal) {
      signal.throwIfAborted();
      const chunks: Int16Array[] = [];
      return {
        write: (samples) => void chunks.push(samples),
        finish() {
          const job = { priority: "high", device } as const;
          return pool.run(job, (running) => transcribe(joinSamples(...chunks), language, running), signal);
        },
      };
    },
    async close() {
      pool.close();
    },
  };
}

/** Reads the text of an answer: an object, its sections, or the bare text. Throws if the answer is something else. */
function readAnswer(answer: unknown): string {
  if (typeof answer !== "string") return readText(answer);
  if (/^\s*<(?:!doctype|html)\b/i.test(answer)) throw new SyntaxError("the answer is a web page");
  const json = /^\s*[[{]/.test(answer) ? parseJson(answer) : undefined;
  return json === undefined ? answer : readText(json);
}

function readText(answer: unknown): string {
  if (typeof answer === "string") return answer;
  if (Array.isArray(answer)) return answer.map(readText).join(" ");
  if (typeof answer !== "object" || answer === null) throw new SyntaxError("the answer has no text");
  const { text, segments, result }: Readonly<Record<string, unknown>> = { ...answer };
  if (typeof text === "string") return text;
  const other = segments ?? result ?? undefined;
  if (other !== undefined) return readText(other);
  if (text === null) return "";
  throw new SyntaxError("the answer has no text");
}

function nameProblem(error: unknown): Error {
  return new Error("the transcription endpoint failed", { cause: withoutText(error) });
}
