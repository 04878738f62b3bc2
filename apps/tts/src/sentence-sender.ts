import type { Say } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { ReplyOutput } from "./reply-output.ts";
import type { ReplySpan } from "./reply-span.ts";
import type { Outage } from "./sentence-speaker.ts";
import { packetMs, type SpokenPacket } from "./speech-encoder.ts";

/** Sends a sentence: its emotion, its subtitle and its packets. If it cannot be spoken, the device shows an alert. */
export type SendSentence = (say: Say, packets: AsyncIterable<SpokenPacket>) => Promise<void>;

const longestSubtitle = 2500;

/**
 * Creates the sender of a reply's sentences. The texts of the first one go with its first sound: a reply with frames has begun, and
 * the gateway does not tell the device of its wait.
 */
export function createSentenceSender(options: {
  readonly opening: Say;
  readonly output: ReplyOutput;
  readonly span: ReplySpan;
  readonly outage: Outage;
  readonly log: Pick<Log, "warn">;
  /** Called when the first packet of the reply was sent. */
  readonly onFirstSound: () => void;
  readonly signal: AbortSignal;
}): SendSentence {
  const { opening, output, span, outage, log, onFirstSound, signal } = options;
  let firstSound = false;
  let spokenBy: string | undefined;

  function sendTexts({ sentence, text, emotion }: Say) {
    if (sentence === opening.sentence || emotion) {
      output.send({ kind: "text", body: { type: "llm", emotion: emotion ?? "neutral" } }, { sentence });
    }
    if (text) {
      const subtitle = text.slice(0, longestSubtitle);
      output.send({ kind: "text", body: { type: "tts", state: "sentence_start", text: subtitle } }, { sentence });
    }
  }

  return async (say, packets) => {
    const { sentence } = say;
    const readEnd = () =>
      say.last
        ? ({ end: "reply", outcome: outage.told ? "failed" : say.outcome } as const)
        : ({ end: "sentence" } as const);
    let isShown = false;
    function show() {
      if (!isShown) sendTexts(say);
      isShown = true;
    }
    if (firstSound || output.accepted !== undefined) show();
    span.sentence();
    let ended = false;
    try {
      for await (const [{ body, repeatable, engine }, last] of withLast(packets)) {
        await output.waitForPace(signal);
        show();
        const isNew = engine !== spokenBy;
        spokenBy = engine;
        const place = { sentence, repeatable, ...(isNew && { engine }), ...(last && readEnd()) } as const;
        output.send({ kind: "audio", duration: packetMs, body }, place);
        ended = last;
        if (firstSound) continue;
        firstSound = true;
        onFirstSound();
        span.firstSound(engine);
      }
    } catch (err) {
      signal.throwIfAborted();
      show();
      outage.cause = err;
      log.warn({ err, sentence, ...outage.about }, "sentence failed");
      const body = { type: "alert", status: "Sorry", message: "This could not be spoken.", emotion: "sad" } as const;
      if (!outage.told) output.send({ kind: "text", body }, { sentence });
      outage.told = true;
    }
    show();
    if (!ended) output.send({ kind: "control", body: { type: "end" } }, { sentence, ...readEnd() });
  };
}

/** Marks the last value. The first one does not wait for the next, so it is marked by no one if it is the last, too. */
async function* withLast<Value>(values: AsyncIterable<Value>): AsyncGenerator<readonly [value: Value, last: boolean]> {
  let held: { readonly value: Value } | undefined;
  let isFirst = true;
  for await (const value of values) {
    if (isFirst) yield [value, false];
    else {
      if (held) yield [held.value, false];
      held = { value };
    }
    isFirst = false;
  }
  if (held) yield [held.value, true];
}
