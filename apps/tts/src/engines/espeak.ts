import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { PassThrough, pipeline } from "node:stream";
import { promisify } from "node:util";
import { type PcmEngine, type Sound, TtsError } from "./engine.ts";
import { readPcmStream } from "./pcm-stream.ts";
import { countScripts, guessLanguage } from "../script.ts";

const wordsPerMinute = 175;
/** Room for the whole sound of a piece of text: at least a minute. */
const mostBytes = 4_000_000;
/** Time in which espeak-ng lists its voices, ms. */
const listMs = 20_000;

/** Returns the path of the espeak-ng program on PATH or in /usr/bin, or undefined if it is not installed. */
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
 * Creates the engine that runs espeak-ng, one process for each sentence. Its pool limits them. It speaks
 * more than 100 languages, like a robot. Text goes through stdin, so it cannot be taken for an option. Throws TtsError
 * when the program cannot be run.
 */
export async function createEspeakEngine(options: {
  readonly program: string;
  readonly voice?: string | undefined;
  /** The longest time for one piece of text (ms). */
  readonly timeoutMs: number;
}): Promise<PcmEngine> {
  const { program, timeoutMs } = options;
  const voices = await listVoices(program);
  const closing = new AbortController();
  // A voice's name such as `en+f3` is a language and a variant. Anything else could be an option or a file.
  const known = (voice: string | undefined) =>
    voice && /^[a-z0-9-]+(\+[a-z0-9]+)?$/i.test(voice) && voices.has(voice.split("+")[0]!) ? voice : undefined;
  const voiceFor = (text: string, language: string | undefined) => {
    const guess = guessLanguage(text, language);
    const exact = guess && language?.toLowerCase().startsWith(`${guess}-`) ? language.toLowerCase() : undefined;
    // Debian bookworm's voice `cmn` reads pinyin as English; this one reads hanzi. No voice reads kanji.
    const candidates = guess === "zh" || guess === "cmn" ? ["cmn-latn-pinyin"] : [exact, guess, `${guess}-us`];
    if (guess === "ja" && countScripts(text).has("Han")) return undefined;
    return candidates.find((candidate) => candidate !== undefined && voices.has(candidate));
  };

  return {
    name: "espeak",
    repeatable: true,
    longestText: 300,
    speaks: ({ text, language }) => voiceFor(text, language) !== undefined,
    synthesize: async function* ({ text, voice, language, speed = 1 }, signal): AsyncGenerator<Sound> {
      if (!/[\p{L}\p{N}]/u.test(text)) return;
      const patience = new AbortController();
      const stop = AbortSignal.any([signal, closing.signal, patience.signal]);
      const timer = setTimeout(() => patience.abort(), timeoutMs);
      const onEnd = () => clearTimeout(timer);
      try {
        stop.throwIfAborted();
        const guessed = voiceFor(text, language);
        // A chosen voice reads its own language only. Text in another language is read by a voice of that language.
        const asked = [voice, options.voice]
          .map(known)
          .find((name) => name && (!guessed || name.startsWith(guessed.slice(0, 2))));
        yield* runEspeak({ program, voice: asked ?? guessed ?? "en-us", speed, text, onEnd }, stop);
      } catch (cause) {
        signal.throwIfAborted();
        if (closing.signal.aborted) throw new TtsError("unavailable", "the espeak engine is closed", { cause });
        if (patience.signal.aborted)
          throw new TtsError("time-out", `espeak-ng ran for more than ${timeoutMs} ms`, { cause });
        throw cause instanceof TtsError ? cause : new TtsError("failed", "espeak-ng failed", { cause });
      } finally {
        onEnd();
      }
    },
    close: async () => closing.abort(new Error("the espeak engine is closed")),
  };
}

async function* runEspeak(
  options: { program: string; voice: string; speed: number; text: string; onEnd: () => void },
  signal: AbortSignal,
): AsyncGenerator<Sound> {
  const { program, voice, speed, text, onEnd } = options;
  const pace = Math.round(wordsPerMinute * Math.min(2, Math.max(0.5, speed)));
  const child = spawn(program, ["-v", voice, "-s", String(pace), "-b", "1", "--stdin", "--stdout"]);
  const exit = new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, by) => {
      onEnd();
      resolve(code ?? by ?? "unknown");
    });
  });
  // Awaited below, unless the reader leaves first. Then a failure concerns no one.
  exit.catch(() => undefined);
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let complaint = "";
  child.stderr.on("data", (data: Buffer) => (complaint = (complaint + data.toString()).slice(-500)));
  // If the process ends before it has read its text, its exit code says why.
  child.stdin.on("error", () => undefined);
  child.stdin.end(text.replaceAll("\0", " "));
  // A slow reader is the listener of a reply. The process does not wait for it: others need its slot, and its time is limited.
  const sound = pipeline(child.stdout, new PassThrough({ highWaterMark: mostBytes }), () => undefined);
  try {
    yield* readPcmStream(sound, undefined);
    const code = await exit;
    signal.throwIfAborted();
    if (code !== 0) throw new TtsError("failed", `espeak-ng ended with code ${code}`, { cause: complaint });
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
    const { stdout } = await promisify(execFile)(program, ["--voices"], { timeout: listMs });
    // Pty Language Age/Gender VoiceName …
    return new Set(
      stdout
        .split("\n")
        .slice(1)
        .flatMap((line) => line.trim().split(/\s+/)[1] ?? []),
    );
  } catch (cause) {
    throw new TtsError("unavailable", `espeak-ng cannot be run at ${program}`, { cause });
  }
}
