import type { Exchange, Sentence } from "./ear.ts";
import { apologies } from "./questions.ts";

/** What is known to be right: the sentences of every answer and the packets of every sentence. */
export interface References {
  readonly answers: Map<string, readonly string[]>;
  readonly packets: Map<string, readonly Buffer[]>;
  /** What gateways and tts say without a subtitle when something went wrong, in packets. */
  readonly apologies: readonly (readonly Buffer[])[];
}

/** What a device made of an exchange. */
export interface Verdict {
  readonly outcome: "answered" | "apologised" | "lost";
  /** Frames and sentences that came more than once. */
  readonly doubled: number;
  /** What was wrong, for people. */
  readonly detail: string;
}

interface Match {
  readonly whole: boolean;
  readonly doubled: number;
  readonly missing: number;
  readonly unknown: number;
  readonly apologised: boolean;
}

/**
 * Compares what came, packet by packet, with what the same sentences are known to sound like. `answered` is the whole
 * answer and nothing else; `apologised` is an apology that was heard, or an alert.
 */
export function judgeExchange(question: string, exchange: Exchange, references: References): Verdict {
  const expected = references.answers.get(question) ?? [];
  const matches = exchange.sentences.map((sentence) => matchSentence(sentence, references));
  const texts = exchange.sentences.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const again = texts.filter((text, at) => texts.indexOf(text) !== at).length;
  const doubled = matches.reduce((sum, match) => sum + match.doubled, again);
  const sum = (pick: (match: Match) => number) => matches.reduce((total, match) => total + pick(match), 0);
  const said = texts.filter((text) => !apologies.includes(text));
  const inOrder = said.every((text, at) => text === expected[at]);
  const detail = [
    `"${question}": ${said.length} of ${expected.length} sentences`,
    ...(inOrder ? [] : [`not those that belong to it: ${JSON.stringify(said)}`]),
    ...(doubled > 0 ? [`${doubled} twice`] : []),
    ...(sum(({ missing }) => missing) > 0 ? [`${sum(({ missing }) => missing)} packets left out`] : []),
    ...(sum(({ unknown }) => unknown) > 0 ? [`${sum(({ unknown }) => unknown)} packets of something else`] : []),
  ].join(", ");
  const apologised =
    exchange.alerted ||
    exchange.sentences.some(({ text }, at) => matches[at]?.apologised || isWholeApology(text, matches[at]));
  const whole = said.length === expected.length && inOrder && matches.every((match) => match.whole);
  if (whole && !apologised) return { outcome: "answered", doubled, detail };
  return { outcome: apologised && inOrder ? "apologised" : "lost", doubled, detail };
}

function isWholeApology(text: string | undefined, match: Match | undefined): boolean {
  return text !== undefined && apologies.includes(text) && match !== undefined && match.whole;
}

function matchSentence({ text, packets }: Sentence, references: References): Match {
  const known = references.packets.get(text ?? "") ?? [];
  let next = 0;
  const apologising = references.apologies.map((list) => ({ list, next: 0 }));
  let doubled = 0;
  let missing = 0;
  let unknown = 0;
  const at = (list: readonly Buffer[], packet: Buffer, from: number) =>
    list.findIndex((one, i) => i >= from && one.equals(packet));
  const apologises = (packet: Buffer) => {
    const fitting = apologising.filter((one) => one.list[one.next]?.equals(packet));
    for (const one of fitting) one.next += 1;
    return fitting.length > 0;
  };
  for (const packet of packets) {
    if (known[next]?.equals(packet)) next += 1;
    else if (apologises(packet)) continue;
    else if (at(known, packet, next) >= 0) {
      const found = at(known, packet, next);
      missing += found - next;
      next = found + 1;
    } else if (at(known, packet, 0) >= 0 || references.apologies.some((list) => at(list, packet, 0) >= 0)) doubled += 1;
    else unknown += 1;
  }
  const whole = next === known.length && missing === 0 && unknown === 0;
  return { whole, doubled, missing, unknown, apologised: apologising.some(({ list, next }) => next === list.length) };
}
