import { expect, test } from "vitest";
import { chinese } from "../shared/words-zh.ts";
import { english } from "../shared/words-en.ts";
import { namePool } from "./name-pool.ts";

test("pools: have names in the user's language, with the engine if there is one, and unknown ones keep theirs", () => {
  const names = ["opus-out", "recognition", "recognition-openai", "synthesis-espeak", "brewing"];
  expect(names.map((name) => namePool(english.system.poolNames, name))).toEqual([
    "Opus out",
    "Recognition",
    "Recognition (openai)",
    "Synthesis (espeak)",
    "brewing",
  ]);
  expect(namePool(chinese.system.poolNames, "recognition-openai")).toBe("识别 (openai)");
});
