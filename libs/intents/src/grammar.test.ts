import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertPronounceable, createGrammar, defineIntent, garbagePrefix, intents, matchIntent } from "./index.ts";

type Arc = { to: number; probability: number; word: string | undefined };

function readFsg(fsg: string) {
  const lines = fsg.trimEnd().split("\n");
  expect(lines.at(0)).toBe("FSG_BEGIN voxbus");
  expect(lines.at(-1)).toBe("FSG_END");
  const header = (name: string) => Number(lines.find((line) => line.startsWith(name))?.split(" ")[1]);
  const arcs = new Map<number, Arc[]>();
  for (const line of lines.filter((line) => line.startsWith("TRANSITION"))) {
    const [, from, to, probability, word] = line.split(" ");
    const list = arcs.get(Number(from)) ?? [];
    list.push({ to: Number(to), probability: Number(probability), word });
    arcs.set(Number(from), list);
  }
  return { states: header("NUM_STATES"), start: header("START_STATE"), final: header("FINAL_STATE"), arcs };
}

const answer = () => "";

test("grammar: every phrase that can be heard can be answered", () => {
  const { arcs, start, final } = readFsg(createGrammar(intents, { garbage: 0 }).fsg);
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (choices) => {
      const heard: string[] = [];
      for (let state = start; state !== final;) {
        const open = arcs.get(state) ?? [];
        const arc = open[(choices.next().value ?? 0) % open.length];
        if (arc === undefined) throw new Error(`state ${state} is a dead end`);
        if (arc.word !== undefined) heard.push(arc.word);
        state = arc.to;
      }
      expect(matchIntent(intents, heard.join(" ")), heard.join(" ")).toBeDefined();
    }),
    { numRuns: 1000 },
  );
});

test("grammar: every phrase can be heard, also contracted, and nothing else but garbage", () => {
  const count = defineIntent({ name: "count", phrases: ["what is {number}", "stop [it]"], answer });
  const { arcs, start, final } = readFsg(createGrammar([count], { garbage: 0 }).fsg);
  const accepts = (text: string) => {
    const visit = (state: number, words: readonly string[]): boolean =>
      (state === final && words.length === 0) ||
      (arcs.get(state) ?? []).some(({ to, word }) =>
        word === undefined ? visit(to, words) : word === words[0] && visit(to, words.slice(1)),
      );
    return visit(start, text.split(" "));
  };
  for (const text of ["stop", "stop it", "what is zero", "what's twenty", "what's ninety nine", "what is a hundred"]) {
    expect(accepts(text), text).toBe(true);
  }
  for (const text of ["it", "what is", "what is twenty ten", "what is a", "stop stop", "what is one one"]) {
    expect(accepts(text), text).toBe(false);
  }
});

test("grammar: garbage can be entered from every state of a phrase, and the end only after a garbage word", () => {
  const { words, fsg, pronunciations } = createGrammar(intents, { garbage: 1e-3 });
  const { arcs, states, final } = readFsg(fsg);
  const isGarbage = ({ word }: Arc) => word?.startsWith(garbagePrefix) ?? false;
  const free = (state: number) => (arcs.get(state) ?? []).filter(({ word }) => word === undefined);
  for (let state = 0; state < states; state += 1) {
    const out = arcs.get(state) ?? [];
    if (state === final) expect(out).toEqual([]);
    else if (!out.some(isGarbage)) {
      const doors = free(state).filter(({ probability }) => probability === 1e-3);
      expect(doors).toHaveLength(1);
      expect(arcs.get(doors[0]?.to ?? -1)?.every(isGarbage)).toBe(true);
    }
  }
  const garbage = words.filter((word) => word.startsWith(garbagePrefix));
  expect(garbage).toHaveLength(39);
  expect(garbage.map((word) => pronunciations[word])).toContain("ZH");
});

test("grammar: number networks are factored, so the whole table stays under 500 states", () => {
  expect(readFsg(createGrammar(intents).fsg).states).toBeLessThan(500);
});

test("grammar: words without a pronunciation are refused by name, and an intent can bring its own pronunciations", () => {
  const own = defineIntent({
    name: "own",
    phrases: ["ask voxbus about frobnication"],
    pronunciations: { voxbus: "V AA K S B AH S" },
    answer,
  });
  const { words, pronunciations } = createGrammar([own]);
  const dictionary: Readonly<Record<string, string>> = { ask: "AE S K", about: "AH B AW T" };
  expect(() => assertPronounceable(words, (word) => pronunciations[word] ?? dictionary[word])).toThrow(
    'no pronunciation for "frobnication"',
  );
});
