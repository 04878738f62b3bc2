import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeWav } from "@voxbus/audio";
import { createPool } from "@voxbus/pools";
import { createEspeakEngine, findEspeak } from "./espeak.ts";
import { createPooledEngine } from "./pooled-engine.ts";
import { collectSound, testEngine } from "./engine.suite.ts";

const program = await findEspeak();

/** Creates the engine as tts has it: in a pool. */
async function createPooled(options: Parameters<typeof createEspeakEngine>[0], slots = 1) {
  const pool = createPool({ name: "synthesis", slots, timeoutMs: 60_000 });
  return createPooledEngine(await createEspeakEngine(options), pool, Infinity);
}

describe.skipIf(!program)("with espeak-ng installed", () => {
  testEngine("espeak", {
    create: () => createPooled({ program: program!, timeoutMs: 20_000 }, 2),
    speed: true,
    speaks: [
      { text: "Hello there." },
      { text: "今天天气很好", language: "zh-CN" },
      { text: "今天天气很好" },
      { text: "The word 你好 means hello." },
      { text: "Guten Tag", language: "de-DE" },
      { text: "Доброе утро" },
      { text: "안녕하세요" },
    ],
    leaves: [{ text: "今日は良い天気です" }, { text: "ꆈꌠꉙ" }],
  });
});

test("espeak: a program that cannot be run is rejected by name", async () => {
  await expect(createEspeakEngine({ program: "/nowhere/espeak-ng", timeoutMs: 20_000 })).rejects.toMatchObject({
    name: "TtsError",
    code: "unavailable",
  });
});

test("espeak: the wait for a free slot does not count as the time of its program", async () => {
  const folder = await mkdtemp(join(tmpdir(), "espeak-"));
  const slow = join(folder, "espeak-ng");
  const wav = Buffer.from(writeWav({ sampleRate: 22_050, samples: new Int16Array(100) })).toString("base64");
  await writeFile(
    slow,
    `#!/bin/sh\n[ "$1" = --voices ] && echo && echo " 5 en-us" && exit 0\nsleep 0.4\necho ${wav} | base64 -d\n`,
  );
  await chmod(slow, 0o755);
  const engine = await createPooled({ program: slow, timeoutMs: 1000 });
  const never = new AbortController().signal;
  await Promise.all(Array.from({ length: 4 }, () => collectSound(engine.synthesize({ text: "Hello." }, never))));
  await engine.close();
  await rm(folder, { recursive: true });
});

test("espeak: a slow reader holds neither the slot nor the time of the program", async () => {
  const folder = await mkdtemp(join(tmpdir(), "espeak-"));
  const program = join(folder, "espeak-ng");
  const samples = new Int16Array(20 * 22_050);
  await writeFile(join(folder, "sound.wav"), writeWav({ sampleRate: 22_050, samples }));
  await writeFile(
    program,
    `#!/bin/sh\n[ "$1" = --voices ] && echo && echo " 5 en-us" && exit 0\nsleep 0.3\ncat ${folder}/sound.wav\n`,
  );
  await chmod(program, 0o755);
  const timeoutMs = 4000;
  const engine = await createPooled({ program, timeoutMs });
  const never = new AbortController().signal;
  const slow = engine.synthesize({ text: "Hello." }, never)[Symbol.asyncIterator]();
  const { value: first } = await slow.next();
  // These take longer together than the slow one may.
  const until = performance.now() + timeoutMs;
  while (performance.now() < until) await collectSound(engine.synthesize({ text: "Hello." }, never));
  let count = first.samples.length;
  for (let next = await slow.next(); !next.done; next = await slow.next()) count += next.value.samples.length;
  expect(count).toBe(samples.length);
  await engine.close();
  await rm(folder, { recursive: true });
});

test("espeak: a program that fails says why, and frees its slot", async () => {
  const folder = await mkdtemp(join(tmpdir(), "espeak-"));
  const broken = join(folder, "espeak-ng");
  await writeFile(
    broken,
    '#!/bin/sh\n[ "$1" = --voices ] && echo && echo " 5 en-us" && exit 0\necho no data >&2\nexit 3\n',
  );
  await chmod(broken, 0o755);
  const engine = await createPooled({ program: broken, timeoutMs: 20_000 });
  for (let i = 0; i < 2; i++) {
    const failed = collectSound(engine.synthesize({ text: "Hello." }, new AbortController().signal));
    await expect(failed).rejects.toMatchObject({
      code: "failed",
      cause: expect.stringContaining("no data") as unknown,
    });
  }
  await engine.close();
  await rm(folder, { recursive: true });
});
