import type { Exchange, Sentence } from "./ear.ts";
import { apologies } from "./questions.ts";

/** The correct sentences of every answer and the correct packets of every sentence. */
export interface References {
  readonly answers: Map<string, readonly string[]>;
  readonly packets: Map<string, readonly Buffer[]>;
  /** The packets of the apologies that gateways and tts play without a subtitle. */
  readonly apologies: readonly (readonly Buffer[])[];
  /** The packets that tell a device to wait. */
  readonly notice: readonly Buffer[];
}

/** The verdict on an exchange. */
export interface Verdict {
  readonly outcome: "answered" | "apologized" | "lost";
  /** The number of frames and sentences that came more than once. */
  readonly doubled: number;
  /** The differences, for people. */
  readonly detail: string;
}

interface Match {
  readonly whole: boolean;
  readonly doubled: number;
  readonly missing: number;
  readonly unknown: number;
  readonly apologized: boolean;
}

/**
 * Compares an exchange with the references, packet by packet. `answered` is the complete answer and nothing else; `apologized` is
 * a complete apology or an alert.
 */
export function judgeExchange(question: string, exchange: Exchange, references: References): Verdict {
  const expected = references.answers.get(question) ?? [];
  const matches = joinSound(exchange.sentences, references).map((sentence) => matchSentence(sentence, references));
  const texts = exchange.sentences.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const again = texts.filter((text, at) => texts.indexOf(text) !== at).length;
  const doubled = matches.reduce((sum, match) => sum + match.doubled, again);
  const sum = (pick: (match: Match) => number) => matches.reduce((total, match) => total + pick(match), 0);
  const said = texts.filter((text) => !apologies.includes(text));
  const inOrder = said.every((text, at) => text === expected[at]);
  const detail = [
    `"${question}": ${said.length} of ${expected.length} sentences`,
    ...(inOrder ? [] : [`expected other ones, got ${JSON.stringify(said)}`]),
    ...(doubled > 0 ? [`${doubled} twice`] : []),
    ...(sum(({ missing }) => missing) > 0 ? [`${sum(({ missing }) => missing)} packets missing`] : []),
    ...(sum(({ unknown }) => unknown) > 0 ? [`${sum(({ unknown }) => unknown)} unknown packets`] : []),
  ].join(", ");
  const apologized =
    exchange.alerted ||
    exchange.sentences.some(({ text }, at) => matches[at]?.apologized || isWholeApology(text, matches[at]));
  const whole = said.length === expected.length && inOrder && matches.every((match) => match.whole);
  if (whole && !apologized) return { outcome: "answered", doubled, detail };
  return { outcome: apologized && inOrder ? "apologized" : "lost", doubled, detail };
}

/** Gives each sentence the packets that continue it, although they were read after the next subtitle: UDP is not TCP. */
function joinSound(sentences: readonly Sentence[], { packets: known }: References): readonly Sentence[] {
  const joined = sentences.map(({ text, packets }) => ({ text, packets: [...packets] }));
  for (const [at, { packets }] of joined.entries()) {
    const before = joined[at - 1];
    if (!before) continue;
    const rest = known.get(before.text ?? "")?.slice(before.packets.length) ?? [];
    const own = packets.findIndex((packet, i) => rest[i]?.equals(packet) !== true);
    before.packets.push(...packets.splice(0, own < 0 ? packets.length : own));
  }
  return joined;
}

function isWholeApology(text: string | undefined, match: Match | undefined): boolean {
  return text !== undefined && apologies.includes(text) && match !== undefined && match.whole;
}

function matchSentence({ text, packets }: Sentence, references: References): Match {
  const known = references.packets.get(text ?? "") ?? [];
  let next = 0;
  const begun = references.apologies.map((list) => ({ list, next: 0 }));
  let noticed = 0;
  let doubled = 0;
  let missing = 0;
  let unknown = 0;
  const at = (list: readonly Buffer[], packet: Buffer, from: number) =>
    list.findIndex((one, i) => i >= from && one.equals(packet));
  const continuesApology = (packet: Buffer) => {
    const fitting = begun.filter((one) => one.list[one.next]?.equals(packet));
    for (const one of fitting) one.next += 1;
    return fitting.length > 0;
  };
  const continuesNotice = (packet: Buffer) => {
    const fits = references.notice[noticed]?.equals(packet) === true;
    if (fits) noticed += 1;
    return fits;
  };
  for (const packet of packets) {
    if (known[next]?.equals(packet)) next += 1;
    else if ([continuesApology(packet), continuesNotice(packet)].includes(true)) continue;
    else if (at(known, packet, next) >= 0) {
      const found = at(known, packet, next);
      missing += found - next;
      next = found + 1;
    } else if (at(known, packet, 0) >= 0 || references.apologies.some((list) => at(list, packet, 0) >= 0)) doubled += 1;
    else unknown += 1;
  }
  const whole = next === known.length && missing === 0 && unknown === 0;
  return { whole, doubled, missing, unknown, apologized: begun.some(({ list, next }) => next === list.length) };
}
