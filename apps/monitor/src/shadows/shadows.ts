import { shadowOf, channels, type Heard, type Say, stored } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/subscriber";
import { countWordErrors, splitWords } from "./compare.ts";
import { createReplies } from "./replies.ts";
import type { ShadowView } from "./shadow-view.ts";
import { createWaiting, cutText, isMatch, isOld, type Result } from "./waiting.ts";

/** The most shadows that are shown, and comparisons that count. */
const maxShadows = 16;
const maxCompared = 1000;
/** The newest real results, for a shadow whose first one comes later. */
const maxRecent = 100;
const sweepMs = 5000;
/** A shadow without a result for this time is no longer shown, ms. */
const forgetMs = 600_000;

type Program = ShadowView["program"];

/** Follows the results of shadows beside those of the real programs. */
export interface Shadows extends Closer {
  /** Gives each shadow that had a result in the last 10 minutes. */
  list(): readonly ShadowView[];
}

interface Comparison {
  readonly equal: boolean;
  readonly words: number;
  readonly wordErrors: number;
  readonly laterMs: number;
}

/** Creates the comparison. It keeps texts only until their counterpart has come, a minute at most. */
export function createShadows(bus: Bus): Shadows {
  const shadows = new Map<string, Shadow>();
  const real: Record<Program, Result[]> = { asr: [], dialogue: [] };
  const replies = createReplies();
  const nameIn = (subject: string) => subject.split(".")[1] ?? "";

  const shadowAt = (name: string, program: Program) => {
    const key = `${name} ${program}`;
    const found = shadows.get(key);
    if (found || shadows.size >= maxShadows) return found;
    const shadow = new Shadow(name, program);
    shadows.set(key, shadow);
    return shadow;
  };
  const takeReal = (program: Program, result: Result) => {
    real[program].push(result);
    if (real[program].length > maxRecent) real[program].shift();
    for (const shadow of shadows.values()) if (shadow.program === program) shadow.takeReal(result);
  };
  const hear =
    (take: (result: Result, subject: string) => void) => (heard: Heard, from: { device: string; subject: string }) => {
      if (heard.reason === "nothing-heard") return;
      const place = `${from.device} ${heard.session} ${heard.listen}`;
      const text = cutText(heard.text);
      take({ place, span: [heard.from, heard.origin], text, at: performance.now() }, from.subject);
    };
  const hearReal = hear((result) => takeReal("asr", result));
  const hearShadow = hear((result, subject) => shadowAt(nameIn(subject), "asr")?.takeOwn(result, real.asr));
  const readReal = (say: Say) => {
    const result = replies.add(say);
    if (result) takeReal("dialogue", result);
  };
  const readShadow = (say: Say, { subject }: { readonly subject: string }) => {
    if (say.session === undefined) return;
    const shadow = shadowAt(nameIn(subject), "dialogue");
    const result = shadow?.replies.add(say);
    if (result) shadow?.takeOwn(result, real.dialogue);
  };

  const subscriptions = [
    bus.subscribe(stored(channels.heard()), hearReal),
    bus.subscribe(stored(channels.sayOpen()), readReal),
    bus.subscribe(stored(channels.say()), readReal),
    bus.subscribe(shadowOf(channels.heard()), hearShadow),
    bus.subscribe(shadowOf(channels.sayOpen()), readShadow),
    bus.subscribe(shadowOf(channels.say()), readShadow),
  ];
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const [key, shadow] of shadows) if (!shadow.sweep(now)) shadows.delete(key);
    for (const results of Object.values(real)) while (results[0] && isOld(results[0], now)) results.shift();
    replies.sweep(now);
  }, sweepMs);
  sweep.unref();
  return {
    list: () => [...shadows.values()].map((shadow) => shadow.view()),
    close() {
      clearInterval(sweep);
      for (const subscription of subscriptions) subscription.close();
    },
  };
}

/** One shadow of one program. */
class Shadow {
  readonly name: string;
  readonly program: Program;
  readonly replies = createReplies();
  readonly #began = performance.now();
  #lastAt = performance.now();
  /** Own results that came before their counterpart, and real ones whose own counterpart is awaited. */
  readonly #own = createWaiting();
  readonly #awaited = createWaiting();
  #comparisons: Comparison[] = [];
  #missing = 0;
  #extra = 0;

  constructor(name: string, program: Program) {
    this.name = name;
    this.program = program;
  }

  takeReal(result: Result): void {
    const own = this.#own.take(result);
    if (own) this.#compare(result, own);
    else this.#missing += this.#awaited.add(result);
  }

  takeOwn(result: Result, earlier: readonly Result[]): void {
    this.#lastAt = performance.now();
    // The first result makes the shadow known. Its counterpart may have come before.
    const isFirst = this.#comparisons.length === 0 && this.#awaited.size() === 0;
    const match = this.#awaited.take(result) ?? (isFirst ? earlier.find((one) => isMatch(one, result)) : undefined);
    if (match) this.#compare(match, result);
    else this.#extra += this.#own.add(result);
  }

  /** Counts what found no counterpart. Returns false if the shadow is gone. */
  sweep(now: number): boolean {
    this.#missing += this.#awaited.sweep(now);
    this.#extra += this.#own.sweep(now);
    this.replies.sweep(now);
    return now - this.#lastAt < forgetMs;
  }

  view(): ShadowView {
    const all = this.#comparisons;
    const sum = (read: (one: Comparison) => number) => all.reduce((total, one) => total + read(one), 0);
    const later = all.map(({ laterMs }) => laterMs).toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(later[Math.min(later.length - 1, Math.floor(later.length * share))] ?? 0);
    return {
      name: this.name,
      program: this.program,
      seconds: Math.round((performance.now() - this.#began) / 1000),
      compared: all.length,
      missing: this.#missing,
      extra: this.#extra,
      ...(all.length > 0 && {
        equal: sum(({ equal }) => Number(equal)) / all.length,
        wordErrors:
          sum(({ wordErrors }) => wordErrors) /
          Math.max(
            1,
            sum(({ words }) => words),
          ),
        laterMs: { p50: at(0.5), p95: at(0.95) },
      }),
    };
  }

  #compare(real: Result, own: Result): void {
    const [words, against] = [splitWords(real.text), splitWords(own.text)];
    const wordErrors = countWordErrors(words, against);
    const equal = wordErrors === 0 && words.length === against.length;
    this.#comparisons.push({ equal, words: words.length, wordErrors, laterMs: own.at - real.at });
    if (this.#comparisons.length > maxCompared) this.#comparisons = this.#comparisons.slice(-maxCompared);
  }
}
