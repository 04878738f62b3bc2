import type { Bus } from "@voxbus/bus";
import { checkEnvelope, Say } from "@voxbus/protocol";
import type { FenceWatch } from "./fence-watch.ts";
import type { Fences } from "./fences.ts";
import { LostReplyError, openReplyWriter, type ReplyWriter, type SentenceOptions } from "./reply-writer.ts";
import { splitSentences } from "./sentences.ts";
import { signalWork, type WorkSigns } from "./signal-work.ts";
import type { TurnId } from "./turn-id.ts";

const TurnOfSay = Say.pick({ session: true, origin: true }).required();
const MannerOfSay = Say.pick({ emotion: true, language: true });

/** How a sentence is spoken. Without `language` it is that of the device's profile. */
export type Manner = Pick<Say, "emotion" | "language">;

/** A whole answer: a text, or its sentences. */
export type Answer = string | Iterable<string> | AsyncIterable<string>;

/** The turn to answer: the `from` of typed text, of a transcript, or of a claim. */
export interface Answerable extends TurnId {
  readonly trace?: Readonly<Record<string, string>>;
  /** The number of the delivery, from 1, if the turn was claimed. */
  readonly attempt?: number;
}

/**
 * A program's answer to one turn, written sentence by sentence. The device speaks the first one while the others are made. Until
 * the end, signs of life tell the gateway that the answer will come; they cease 60 s after the last sentence. If another attempt
 * has stored sentences of this answer before, as many are skipped. Every method resolves with false, and does nothing, once the
 * answer is useless: see `signal`. They throw RangeError for an invalid text or manner, and BusAwayError if the sentence could
 * not be stored within 15 s.
 */
export interface Reply {
  /** The id that the device's events name. */
  readonly reply: string;
  /**
   * Aborted when the answer is useless: with FencedError when the fence has reached the turn (the user interrupted it, or the
   * session was closed), with LostReplyError when another program answers the turn.
   */
  readonly signal: AbortSignal;
  /** Says one sentence, of 1 to 65,536 characters. */
  sentence(text: string, manner?: Manner): Promise<boolean>;
  /**
   * Says the whole answer and ends it: a text, or sentences as they come. Blank ones are passed over. `joinSentences` makes
   * sentences of a model's tokens. Stops reading them once the answer is useless. If they fail, the answer stays open for `fail`.
   */
  say(answer: Answer, manner?: Manner): Promise<boolean>;
  /** Ends the answer. Without a sentence, the turn ends silently with the outcome `nothing-to-say`. */
  end(): Promise<boolean>;
  /** Ends the answer with an apology. The turn's outcome is `failed`. */
  fail(apology: string, manner?: Manner): Promise<boolean>;
}

/** Opens the answer to a turn. */
export type OpenReply = (turn: Answerable) => Reply;

/** Earlier replies of the session up to this age matter, ms. */
const earlierMs = 300_000;
const idleMs = 60_000;
const maxText = 65_536;

/** Creates `reply` for a connection. */
export function createOpenReply(bus: Bus, fences: FenceWatch): OpenReply {
  return (turn) => {
    checkEnvelope(TurnOfSay, turn);
    return new TurnReply(bus, fences.covering(turn.device), turn);
  };
}

/** The answer to one turn. */
class TurnReply implements Reply {
  readonly reply: string;
  readonly #bus: Bus;
  readonly #turn: Answerable;
  readonly #over = new AbortController();
  readonly signal = this.#over.signal;
  readonly #watch: ReturnType<Fences["watch"]>;
  readonly #signs: WorkSigns;
  readonly #idle: NodeJS.Timeout;
  #writer: Promise<ReplyWriter> | undefined;
  /** The sentences given so far, those that another attempt has stored included. */
  #given = 0;
  #ended = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(bus: Bus, fences: Fences, turn: Answerable) {
    const { device, session, origin } = turn;
    this.reply = `${session}:${origin}`;
    this.#bus = bus;
    this.#turn = turn;
    this.#watch = fences.watch(turn);
    // A signal of AbortSignal.any that has listeners is never collected unless it aborts.
    const { signal } = this.#watch;
    const fence = () => this.#over.abort(signal.reason);
    signal.addEventListener("abort", fence, { once: true });
    if (signal.aborted) fence();
    this.#signs = signalWork(bus, device, { session, origin });
    this.#idle = setTimeout(() => this.#signs.close(), idleMs);
    this.#idle.unref();
    this.signal.addEventListener("abort", () => this.#close(), { once: true });
    if (this.signal.aborted) this.#close();
  }

  async sentence(text: string, manner: Manner = {}): Promise<boolean> {
    checkSentence(text, manner);
    return this.#write(text, { ...manner, last: false });
  }

  async say(answer: Answer, manner: Manner = {}): Promise<boolean> {
    checkManner(manner);
    if (typeof answer === "string") {
      const sentences = splitSentences(answer, manner.language);
      const rest = sentences.slice(0, -1);
      for (const sentence of rest) await this.sentence(sentence, manner);
      const last = sentences.at(-1) ?? "";
      checkSentence(last, manner);
      return this.#write(last, { ...manner, last: true });
    }
    for await (const sentence of readUntil(answer, this.signal))
      if (sentence.trim() !== "") await this.sentence(sentence, manner);
    return this.end();
  }

  async end(): Promise<boolean> {
    return this.#write("", { last: true, ...(this.#given === 0 && { outcome: "nothing-to-say" }) });
  }

  async fail(apology: string, manner: Manner = {}): Promise<boolean> {
    checkSentence(apology, manner);
    return this.#write(apology, { emotion: "sad", ...manner, last: true, outcome: "failed" });
  }

  /** Stores sentences one after the other. */
  async #write(text: string, options: SentenceOptions): Promise<boolean> {
    if (this.signal.aborted) return false;
    if (this.#ended) throw new Error(`the reply ${this.reply} has ended`);
    this.#ended = options.last;
    if (text !== "") this.#given += 1;
    this.#idle.refresh();
    const stored = this.#last.then(() => this.#store(text, options, this.#given));
    this.#last = stored.then(
      () => options.last && this.#close(),
      () => undefined,
    );
    return stored;
  }

  async #store(text: string, options: SentenceOptions, given: number): Promise<boolean> {
    try {
      this.signal.throwIfAborted();
      const writer = await this.#open();
      if (writer.ended || writer.superseded)
        throw new LostReplyError(`the turn ${this.reply} has been answered already`);
      const isStored = given <= writer.sentences.length && options.outcome !== "failed";
      if (isStored && !options.last) return true;
      await writer.write(isStored ? "" : text, options);
      return true;
    } catch (error) {
      if (error instanceof LostReplyError) this.#over.abort(error);
      if (this.signal.aborted) return false;
      this.#ended = false;
      throw error;
    }
  }

  async #open(): Promise<ReplyWriter> {
    const { attempt = 1, trace } = this.#turn;
    const delivery = { attempt, since: this.#bus.now() - earlierMs, ...(trace && { trace }) };
    this.#writer ??= openReplyWriter(this.#bus, this.#turn, delivery, this.signal);
    try {
      return await this.#writer;
    } catch (error) {
      this.#writer = undefined;
      throw error;
    }
  }

  #close(): void {
    clearTimeout(this.#idle);
    this.#signs.close();
    this.#watch.close();
  }
}

/** Reads an iterable until the signal aborts. */
async function* readUntil(items: Exclude<Answer, string>, signal: AbortSignal): AsyncGenerator<string> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    // A generator that waits for its source returns only later.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

/** Throws RangeError for a sentence that is empty or too long, or a manner that is not valid. */
export function checkSentence(text: string, manner: Manner): void {
  if (text.trim() === "" || text.length > maxText)
    throw new RangeError(
      `expected a sentence of 1 to ${maxText} characters, got ${text.trim() === "" ? 0 : text.length}`,
    );
  checkManner(manner);
}

/** Throws RangeError for an unknown emotion, or a language that is not BCP 47. */
export function checkManner(manner: Manner): void {
  checkEnvelope(MannerOfSay, manner);
}
