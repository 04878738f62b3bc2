import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";

vi.setConfig({ testTimeout: 180_000 });
import { root } from "./child.ts";
import { readOptions } from "./options.ts";

async function runBench(...args: readonly string[]): Promise<{ readonly text: string; readonly figures: Figures }> {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-bench-"));
  const file = join(directory, "figures.json");
  try {
    const short = ["--json", file, "--repeat", "1", "--seconds", "0.4"];
    const main = `${root}tests/dist/bench/main.js`;
    const { stdout } = await promisify(execFile)(process.execPath, [main, ...short, ...args]);
    return { text: stdout, figures: JSON.parse(readFileSync(file, "utf8")) as Figures };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Figures {
  readonly echo: readonly {
    readonly contender: string;
    readonly mode: string;
    readonly sent: number;
    readonly lost: number;
  }[];
  readonly idle: readonly { readonly contender: string; readonly settled: number }[];
  readonly bus: readonly {
    readonly what: string;
    readonly name: string;
    readonly count: number;
    readonly lost: number;
  }[];
}

test.concurrent(
  "bench: every contender echoes under both loads, no frame is lost, and the ratios are printed",
  async ({ expect }) => {
    const { text, figures } = await runBench("--only", "a", "--connections", "8");
    expect(figures.echo.map(({ contender, mode }) => `${contender} ${mode}`)).toEqual(
      ["closed", "paced"].flatMap((mode) => ["bare ws", "bare bridge", "gateway"].map((name) => `${name} ${mode}`)),
    );
    for (const { sent, lost } of figures.echo) {
      expect(sent).toBeGreaterThan(8);
      expect(lost).toBe(0);
    }
    expect(text.match(/gateway \/ bare bridge: frames\/s \d+\.\d\d \(/g)).toHaveLength(2);
  },
);

test.concurrent("bench: memory is measured for every contender", async ({ expect }) => {
  const { text, figures } = await runBench("--only", "b", "--idle", "40");
  expect(figures.idle.map(({ contender }) => contender)).toEqual(["bare ws", "bare bridge", "gateway"]);
  expect(text).toMatch(/gateway \/ bare bridge -?\d+\.\d\d/);
});

test.concurrent(
  "bench: claim, follow and replay are compared with their baselines, and no message is lost",
  async ({ expect }) => {
    const { figures } = await runBench("--only", "c", "--utterances", "10");
    expect(figures.bus.map(({ what }) => what.split(" ")[0])).toEqual([
    "claim", "claim", "follow,", "follow,", "follow,", "replay", "replay", "replay", "replay",
  ]); // prettier-ignore
    for (const { count, lost } of figures.bus) {
      expect(count).toBeGreaterThan(0);
      expect(lost).toBe(0);
    }
  },
);

test("bench: an invalid option is rejected with an explanation", () => {
  expect(() => readOptions(["--seconds", "soon"])).toThrow("--seconds soon: must be a number above 0");
  expect(() => readOptions(["--only", "d"])).toThrow("the parts are a, b, c, h, p");
});
