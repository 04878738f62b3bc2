import { readdirSync, readFileSync } from "node:fs";
import { readWav } from "@voxbus/audio";
import { expect, test } from "vitest";

const directory = new URL("../../../samples/", import.meta.url);
const list = JSON.parse(readFileSync(new URL("samples.json", directory), "utf8")) as Record<string, string | null>[];

test("samples: the list, the recordings and the table for people name the same", () => {
  const recordings = readdirSync(directory).filter((file) => file.endsWith(".wav"));
  expect(new Set(list.map(({ file }) => file))).toEqual(new Set(recordings));
  const rows = readFileSync(new URL("README.md", directory), "utf8").matchAll(
    /^\| (\S+\.wav) +\| (.*?) +\| (\S+) +\|/gm,
  );
  expect(Array.from(rows, ([, file, text, voice]) => ({ file, text, voice }))).toEqual(
    list.map(({ file, text, voice }) => ({ file, text, voice })),
  );
});

test.each(list.map(({ file }) => String(file)))("samples: %s is 16 kHz mono under 100 KB", (file) => {
  const bytes = readFileSync(new URL(file, directory));
  expect(bytes.byteLength).toBeLessThan(100_000);
  expect(readWav(bytes)).toMatchObject({ sampleRate: 16_000, channels: 1 });
});
