import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";

vi.setConfig({ testTimeout: 180_000 });
import { root } from "./child.ts";
import { replaceBetween } from "./document.ts";
import { readOptions } from "./options.ts";
import { judge, writeMarkdown, writeText } from "./section.ts";

async function runBench(...args: readonly string[]): Promise<{ readonly text: string; readonly figures: Figures }> {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-bench-"));
  const file = join(directory, "figures.json");
  try {
    const main = `${root}tests/dist/bench/main.js`;
    const { stdout } = await promisify(execFile)(process.execPath, [main, "--quick", "--json", file, ...args]);
    return { text: stdout, figures: JSON.parse(readFileSync(file, "utf8")) as Figures };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Figures {
  readonly failed: object;
  readonly echo: readonly {
    readonly contender: string;
    readonly mode: string;
    readonly sent: number;
    readonly lost: number;
  }[];
  readonly idle: readonly { readonly contender: string; readonly settled: number }[];
  readonly turns: readonly {
    readonly engines: string;
    readonly devices: number;
    readonly turns: number;
    readonly ended: Readonly<Record<string, number>>;
    readonly text: { readonly count: number };
    readonly beyond: { readonly count: number };
    readonly silence: { readonly count: number };
    readonly cpu: number;
  }[];
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
    const { text, figures } = await runBench("--only", "a");
    // socket.io needs a redis-server, which not every machine has.
    const ours = figures.echo.filter(({ contender }) => contender !== "socket.io");
    expect(ours.map(({ contender, mode }) => `${contender} ${mode}`)).toEqual(
      ["closed", "paced"].flatMap((mode) => ["bare ws", "bare bridge", "gateway"].map((name) => `${name} ${mode}`)),
    );
    for (const { sent, lost } of figures.echo) {
      expect(sent).toBeGreaterThan(8);
      expect(lost).toBe(0);
    }
    expect(text.match(/gateway \/ bare bridge, frames\/s: \d+\.\d\d \(/g)).toHaveLength(2);
    const isMissing = figures.echo.length === ours.length;
    expect(text).toMatch(isMissing ? /socket\.io was not measured: no redis-server/ : /gateway \/ socket\.io: frames/);
    expect(text).toMatch(/a took \d+ s; other programs used \d+\.\d\d cores, ours \d+\.\d\d/);
  },
);

test.concurrent("bench: memory is measured for every contender", async ({ expect }) => {
  const { text, figures } = await runBench("--only", "b");
  expect(figures.idle.map(({ contender }) => contender)).toEqual(["bare ws", "bare bridge", "gateway"]);
  expect(text).toMatch(/gateway, an idle connection: -?\d+\.\d KiB/);
  expect(text).toMatch(/at rest, openai engines: \d+ MiB/);
});

test.concurrent(
  "bench: devices hold typed, spoken and aborted turns with both kinds of engines, and each is answered",
  async ({ expect }) => {
    const { figures } = await runBench("--only", "c");
    expect(figures.turns.map(({ engines, devices }) => `${devices} ${engines}`)).toEqual(["3 instant", "3 embedded"]);
    for (const { turns, ended, cpu } of figures.turns) {
      expect(turns).toBeGreaterThan(0);
      expect(ended["answered"]).toBe(turns);
      expect(cpu).toBeGreaterThan(0);
    }
    const count = (what: "text" | "beyond" | "silence") => figures.turns.reduce((sum, row) => sum + row[what].count, 0);
    for (const what of ["text", "beyond", "silence"] as const) expect(count(what), what).toBeGreaterThan(0);
  },
);

test.concurrent(
  "bench: claim, follow and replay are compared with their baselines, and no message is lost",
  async ({ expect }) => {
    const { figures } = await runBench("--only", "bus");
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
  expect(() => readOptions(["--only", "z"])).toThrow("--only z: the parts are a, b, c,");
  expect(() => readOptions(["--engines", "steam"])).toThrow("--engines steam: the engines are instant, embedded");
});

test("bench: a table is written for a terminal and in Markdown, with its targets met or missed", () => {
  const lines = [
    judge("wait", { value: 12, digits: 1, unit: "ms" }, { atMost: 10 }),
    judge("rate", { value: 0.9 }, { atLeast: 0.9 }),
    judge("nothing", { value: Number.NaN }, { atMost: 1 }),
  ];
  const table = { title: "times", head: ["", "ms"], rows: [["a|b", "12.0"]], lines };
  expect(writeText(table).split("\n")).toEqual([
    "",
    "times",
    "         ms",
    "  a|b  12.0",
    "  wait: 12.0 ms (misses <= 10 ms)",
    "  rate: 0.90 (meets >= 0.9)",
    "  nothing: - (misses <= 1)",
  ]);
  expect(writeMarkdown(table)).toContain("### Times\n\n|  | ms |\n| --- | --: |\n| a\\|b | 12.0 |\n\n- wait: 12.0 ms");
});

test("bench: only what stands between a part's marks is replaced in the document", () => {
  const text = "by hand\n<!-- bench: a -->\nold\n<!-- /bench: a -->\nby hand, too\n";
  expect(replaceBetween(text, "a", "new")).toBe(
    "by hand\n<!-- bench: a -->\n\nnew\n\n<!-- /bench: a -->\nby hand, too\n",
  );
  expect(() => replaceBetween(text, "b", "new")).toThrow(
    "the marks <!-- bench: b --> and <!-- /bench: b --> are missing",
  );
});
