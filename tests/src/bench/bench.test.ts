import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";

vi.setConfig({ testTimeout: 300_000 });
import { awaitEnd, listDescendants } from "../e2e/processes.ts";
import { root } from "./child.ts";
import { checkDocument, replaceBetween } from "./document.ts";
import { addProfile, createFrame, describeFrame, drawFlames } from "./flame-graph.ts";
import { readOptions, type BenchOptions } from "./options.ts";
import { judge, writeMarkdown, writeText } from "./section.ts";

/** The parts that take long are tested by `npm run test:bench`. */
const isWhole = process.env["npm_lifecycle_event"] === "test:bench";

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
  readonly reconnect: readonly { readonly contender: string }[];
  readonly broadcast: readonly { readonly contender: string; readonly missed: number }[];
  readonly growth: readonly { readonly devices: number }[];
  readonly gateways: readonly { readonly frameUs: number; readonly memory: number }[];
  readonly workers: readonly object[];
  readonly firstPackets: readonly { readonly contender: string; readonly p99: number }[];
  readonly presence: readonly { readonly devices: number }[];
  readonly paths: readonly {
    readonly what: string;
    readonly baseline: string;
    readonly baselineUs: number;
    readonly us: number;
  }[];
  readonly isolation: {
    readonly without: { readonly turns: number };
    readonly beside: readonly { readonly turns: number }[];
  };
  readonly bus: readonly {
    readonly what: string;
    readonly name: string;
    readonly count: number;
    readonly lost: number;
  }[];
}

test("bench: every contender echoes under both loads, no frame is lost, and the ratios are printed", async () => {
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
  expect(text.match(/8 connections, .*, gateway \/ bare bridge, frames\/s: \d+\.\d\d \(/g)).toHaveLength(2);
  const isMissing = figures.echo.length === ours.length;
  expect(text).toMatch(isMissing ? /socket\.io was not measured: no redis-server/ : /gateway \/ socket\.io: frames/);
  expect(text).toMatch(/a took \d+ s; other programs used \d+\.\d\d cores, ours \d+\.\d\d/);
});

test.runIf(isWhole)("bench: memory is measured for every contender", async () => {
  const { text, figures } = await runBench("--only", "b");
  expect(figures.idle.map(({ contender }) => contender)).toEqual(["bare ws", "bare bridge", "gateway"]);
  expect(text).toMatch(/gateway, an idle connection: -?\d+\.\d KiB/);
  expect(text).toMatch(/at rest, openai engines: \d+ MiB/);
});

test("bench: devices hold typed, spoken and aborted turns, and each is answered", async () => {
  const { text: printed, figures } = await runBench("--only", "c", "--engines", "instant");
  expect(printed).toMatch(/CPU ms\/turn +\/ fewest devices +CPU ms\/s per device +\/ fewest devices/);
  expect(figures.turns.map(({ engines, devices }) => `${devices} ${engines}`)).toEqual(["3 instant"]);
  for (const { turns, ended, cpu } of figures.turns) {
    expect(turns).toBeGreaterThan(0);
    expect(ended["answered"]).toBe(turns);
    expect(cpu).toBeGreaterThan(0);
  }
  const count = (what: "text" | "beyond" | "silence") => figures.turns.reduce((sum, row) => sum + row[what].count, 0);
  for (const what of ["text", "beyond", "silence"] as const) expect(count(what), what).toBeGreaterThan(0);
});

test("bench: claim, follow and replay are compared with their baselines, and no message is lost", async () => {
  const { figures } = await runBench("--only", "bus");
  expect(figures.bus.map(({ what }) => what.split(" ")[0])).toEqual([
    "claim", "claim", "follow,", "follow,", "follow,", "replay", "replay", "replay", "replay",
  ]); // prettier-ignore
  for (const { count, lost } of figures.bus) {
    expect(count).toBeGreaterThan(0);
    expect(lost).toBe(0);
  }
});

test.runIf(isWhole)("bench: the other parts measure what they are named for, beside their baselines", async () => {
  const { text, figures } = await runBench("--only", "d,e,f,g,h,opus-out,play-out");
  expect(figures.failed).toEqual({});
  const names = (rows: readonly { readonly contender: string }[]) => rows.map(({ contender }) => contender);
  expect(names(figures.reconnect)).toEqual(["bare bridge", "gateway"]);
  expect(figures.reconnect[1]).toMatchObject({ devices: 20, presence: expect.any(Number) as number });
  expect(names(figures.broadcast)).toEqual(["bare ws", "gateway"]);
  expect(figures.broadcast.map(({ missed }) => missed)).toEqual([0, 0]);
  expect(figures.growth.map(({ devices }) => devices)).toEqual([10, 20]);
  expect(figures.gateways).toMatchObject([
    { gateways: 2, ports: "each" },
    { gateways: 2, ports: "one" },
  ]);
  for (const { frameUs, memory } of figures.gateways) expect(Math.min(frameUs, memory)).toBeGreaterThan(0);
  expect(figures.workers).toMatchObject([{ workers: 2, turns: { ended: { lost: 0, silent: 0 } } }]);
  expect(figures.presence.map(({ devices }) => devices)).toEqual([200, 400]);
  const [arrival, earliest] = figures.firstPackets;
  expect([arrival?.contender, earliest?.contender]).toEqual(["arrival order", "earliest deadline first"]);
  expect(earliest!.p99).toBeLessThan(arrival!.p99);
  for (const title of ["hot code paths", "gaps between the packets of replies"]) expect(text).toContain(title);
});

test.runIf(isWhole)("bench: the dear code paths stand beside named baselines, too", async () => {
  const { figures } = await runBench("--only", "h");
  const find = (what: string) => figures.paths.find((path) => path.what === what);
  const [encode, read] = [find("encode 60 ms to Opus"), find("decode 60 ms of Opus and detect voice")];
  expect([encode?.baseline, read?.baseline]).toEqual(["complexity 5, 24 kbit/s", "the decoder alone"]);
  expect(encode!.us).toBeLessThan(encode!.baselineUs);
  expect(read!.us).toBeGreaterThan(read!.baselineUs);
});

test.runIf(isWhole)("bench: each kind of bad program runs beside talking devices", async () => {
  const { text, figures } = await runBench("isolation");
  expect(figures.failed).toEqual({});
  const { without, beside } = figures.isolation;
  expect(without.turns).toBeGreaterThan(0);
  expect(beside).toHaveLength(7);
  expect(beside.reduce((sum, { turns }) => sum + turns, 0)).toBeGreaterThan(0);
  expect(text.match(/, beside \/ without: \S+ \((?:meets|misses)/g)).toHaveLength(14);
});

test("bench: an interrupted run leaves no process behind", async () => {
  const main = `${root}tests/dist/bench/main.js`;
  const child = spawn(process.execPath, [main, "--quick", "--only", "c"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  const isComplete = () => {
    const commands = listDescendants(pid).map(({ command }) => command);
    return ["nats-server", "apps/monitor", "bench/talk"].every((part) => commands.some((one) => one.includes(part)));
  };
  while (!isComplete()) await sleep(50);
  const pids = listDescendants(pid).map((one) => one.pid);
  const ended = once(child, "exit");
  child.kill("SIGINT");
  expect((await ended)[0]).toBe(1);
  expect(await awaitEnd(pids, 20_000)).toEqual([]);
});

test("bench: a flame graph holds what ran in the span, named without paths of the machine", () => {
  const frame = createFrame("all threads");
  const url = `file://${root}`;
  const node = (id: number, functionName: string, path: string, ...children: readonly number[]) => ({
    id,
    callFrame: { functionName, url: path },
    children,
  });
  const nodes = [
    node(1, "(root)", "", 2, 5, 6),
    node(2, "encode<T>", `${url}apps/tts/dist/encode-worker.js`, 3),
    node(3, "wasm-function[1]", "wasm://wasm/1", 4),
    node(4, "wasm-function[2]", "wasm://wasm/1"),
    node(5, "(idle)", ""),
    node(6, "parse", `${url}node_modules/@nats-io/nats-core/lib/parser.js`),
  ];
  const profile = { nodes, startTime: 1_000_000, samples: [4, 4, 5, 6, 4], timeDeltas: [500, 500, 500, 500, 500_000] };
  addProfile(frame, profile, { from: 1000.7, to: 1100 });
  expect(frame.time).toBe(1000);
  expect([...frame.children.keys()]).toEqual(["encode<T> apps/tts/src/encode-worker.ts", "parse @nats-io/nats-core"]);
  const [encode] = frame.children.values();
  expect([...encode!.children].map(([name, { children }]) => [name, children.size])).toEqual([["WebAssembly", 0]]);
  const svg = drawFlames(frame, "tts");
  expect(svg).toContain("<title>encode&lt;T&gt; apps/tts/src/encode-worker.ts: 50.0 %</title>");
  expect(svg).not.toContain(root);
  expect(describeFrame({ functionName: "", url: "file:///somewhere/else/x.js" }).name).toBe("(anonymous) x.ts");
});

test("bench: a flame graph names the source of a function in a joined program", () => {
  const path = `${root}apps/tts/dist/main.js`;
  const lines = readFileSync(path, "utf8").split("\n");
  const lineNumber = lines.findIndex((line) => line.startsWith("async function buildTts("));
  const columnNumber = lines[lineNumber]!.indexOf("buildTts");
  const { href } = pathToFileURL(path);
  const frame = { functionName: "buildTts", url: href, lineNumber, columnNumber };
  expect(describeFrame(frame).name).toBe("buildTts apps/tts/src/app.ts");
});

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
  expect(writeMarkdown(table)).toContain("#### Times\n\n|  | ms |\n| --- | --: |\n| a\\|b | 12.0 |\n\n- wait: 12.0 ms");
});

test("bench: the document has a place for every part", () => {
  const { only } = readOptions([]) as BenchOptions;
  expect(only).toContain("play-out");
  expect(only).not.toContain("isolation");
  checkDocument([...only, "isolation", "transports"]);
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
