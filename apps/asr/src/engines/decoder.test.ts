import { loadSpeech } from "@voxbus/testing";
import { expect, test, vi } from "vitest";
import { createDecoderFactory } from "./decoder.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 30_000 });

const writeFsg = (states: number, ...lines: readonly string[]) =>
  [
    "FSG_BEGIN test",
    `NUM_STATES ${states}`,
    "START_STATE 0",
    `FINAL_STATE ${states - 1}`,
    ...lines,
    "FSG_END",
    "",
  ].join("\n");

test("a grammar with words without a pronunciation: is rejected, naming each", async () => {
  const fsg = writeFsg(2, "TRANSITION 0 1 1.0 hello", "TRANSITION 0 1 1.0 xyzzyx", "TRANSITION 0 1 1.0 badphone");
  const createDecoder = await createDecoderFactory("en-us", { fsg, pronunciations: { badphone: "QQ AH" } });
  await expect(createDecoder()).rejects.toThrow(/: xyzzyx, badphone$/);
});

test("an invalid grammar: is rejected with the reason", async () => {
  const createDecoder = await createDecoderFactory("en-us", { fsg: "FSG_BEGIN\n", pronunciations: {} });
  await expect(createDecoder()).rejects.toThrow("rejected its grammar");
});

test("grammars and dictionaries of any size: are understood, by every decoder of a module", async () => {
  for (let size = 0; size < 8; size++) {
    const word = `greeting${"g".repeat(size)}`;
    // A comment of its own length makes the grammar's size differ from the dictionary's.
    const fsg = writeFsg(3, `# ${"x".repeat(2 * size)}`, `TRANSITION 0 1 1.0 ${word}`, "TRANSITION 1 2 1.0 there");
    const createDecoder = await createDecoderFactory("en-us", { fsg, pronunciations: { [word]: "HH AH L OW" } });
    for (const decoder of [await createDecoder(), await createDecoder()])
      expect(await decoder.decode(loadSpeech("hello"))).toMatchObject({ words: [word, "there"] });
  }
});
