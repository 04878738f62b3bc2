import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { type Sound, TtsError, type TtsEngine } from "./engine.ts";
import { readPcmStream } from "./pcm-stream.ts";
import { countScripts, guessLanguage } from "../script.ts";

const wordsPerMinute = 175;
const timeoutMs = 20_000;

/** The espeak-ng program on PATH or in /usr/bin, or undefined. */
export async function findEspeak(): Promise<string | undefined> {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter).filter(Boolean), "/usr/bin"];
  for (const folder of folders) {
    const program = join(folder, "espeak-ng");
    const usable = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return program;
  }
  return undefined;
}

/**
 * espeak-ng as a program of its own, one process a sentence, at most `concurrency` at once: more than 100 languages,
 * robotic. Its text goes through stdin, so none can be taken for an option. Throws TtsError when it cannot be run.
 */
export async function createEspeakEngine(options: {
  readonly program: string;
  readonly concurrency: number;
  readonly voice?: string | undefined;
}): Promise<TtsEngine> {
  const { program, concurrency } = options;
  const voices = await listVoices(program);
  const slots = createSlots(concurrency);
  const closing = new AbortController();
  // A voice's name such as `en+f3` is a language and a variant; anything else would be an option or a file.
  const known = (voice: string | undefined) =>
    voice && /^[a-z0-9-]+(\+[a-z0-9]+)?$/i.test(voice) && voices.has(voice.split("+")[0]!) ? voice : undefined;
  const voiceFor = (text: string, language: string | undefined) => {
    const guess = guessLanguage(text, language);
    const exact = guess && language?.toLowerCase().startsWith(`${guess}-`) ? language.toLowerCase() : undefined;
    // bookworm's voice `cmn` reads pinyin as English; this one reads hanzi. Kanji no voice reads.
    const candidates = guess === "zh" || guess === "cmn" ? ["cmn-latn-pinyin"] : [exact, guess, `${guess}-us`];
    if (guess === "ja" && countScripts(text).has("Han")) return undefined;
    return candidates.find((candidate) => candidate !== undefined && voices.has(candidate));
  };

  return {
    name: "espeak",
    repeatable: true,
    longestText: 1000,
    speaks: ({ text, language }) => voiceFor(text, language) !== undefined,
    synthesize: async function* ({ text, voice, language, speed = 1 }, signal): AsyncGenerator<Sound> {
      if (!/[\p{L}\p{N}]/u.test(text)) return;
      const timeout = AbortSignal.timeout(timeoutMs);
      const stop = AbortSignal.any([signal, closing.signal, timeout]);
      let release = () => {};
      try {
        release = await slots.take(stop);
        const guessed = voiceFor(text, language);
        // A chosen voice is for its own language; text of another one is read by that one's voice.
        const asked = [voice, options.voice]
          .map(known)
          .find((name) => name && (!guessed || name.startsWith(guessed.slice(0, 2))));
        yield* runEspeak({ program, voice: asked ?? guessed ?? "en-us", speed, text }, stop);
      } catch (cause) {
        signal.throwIfAborted();
        if (closing.signal.aborted) throw new TtsError("unavailable", "espeak-ng is closed", { cause });
        if (timeout.aborted) throw new TtsError("time-out", `espeak-ng took more than ${timeoutMs} ms`, { cause });
        throw cause instanceof TtsError ? cause : new TtsError("failed", "espeak-ng failed", { cause });
      } finally {
        release();
      }
    },
    close: async () => {
      closing.abort(new Error("espeak-ng is closed"));
      await slots.idle();
    },
  };
}

async function* runEspeak(
  options: { program: string; voice: string; speed: number; text: string },
  signal: AbortSignal,
): AsyncGenerator<Sound> {
  const { program, voice, speed, text } = options;
  const pace = Math.round(wordsPerMinute * Math.min(2, Math.max(0.5, speed)));
  const child = spawn(program, ["-v", voice, "-s", String(pace), "-b", "1", "--stdin", "--stdout"]);
  const exit = new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, by) => resolve(code ?? by ?? "unknown"));
  });
  // Awaited below unless the reader leaves first, and then nobody is left to tell.
  exit.catch(() => undefined);
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let complaint = "";
  child.stderr.on("data", (data: Buffer) => (complaint = (complaint + data.toString()).slice(-500)));
  // A child that ended before it read its text says why by its exit code.
  child.stdin.on("error", () => undefined);
  child.stdin.end(text.replaceAll("\0", " "));
  try {
    yield* readPcmStream(child.stdout, undefined);
    const code = await exit;
    signal.throwIfAborted();
    if (code !== 0) throw new TtsError("failed", `espeak-ng ended with ${code}`, { cause: complaint });
  } finally {
    signal.removeEventListener("abort", kill);
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      kill();
      await once(child, "close");
    }
  }
}

async function listVoices(program: string): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await promisify(execFile)(program, ["--voices"], { timeout: timeoutMs });
    // Pty Language Age/Gender VoiceName …
    return new Set(
      stdout
        .split("\n")
        .slice(1)
        .flatMap((line) => line.trim().split(/\s+/)[1] ?? []),
    );
  } catch (cause) {
    throw new TtsError("unavailable", `espeak-ng cannot be run: ${program}`, { cause });
  }
}

/** A counting lock; `take` gives the function that releases it. */
function createSlots(size: number) {
  const waiting: (() => void)[] = [];
  let taken = 0;
  let idle: () => void = () => undefined;
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else if (--taken === 0) idle();
  };
  return {
    take: async (signal: AbortSignal): Promise<() => void> => {
      signal.throwIfAborted();
      if (taken < size) taken++;
      else {
        await new Promise<void>((resolve, reject) => {
          const abort = () => {
            waiting.splice(waiting.indexOf(start), 1);
            reject(signal.reason as Error);
          };
          const start = () => {
            signal.removeEventListener("abort", abort);
            resolve();
          };
          signal.addEventListener("abort", abort, { once: true });
          waiting.push(start);
        });
      }
      return release;
    },
    idle: () => (taken === 0 ? Promise.resolve() : new Promise<void>((resolve) => (idle = resolve))),
  };
}
