import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startNatsServer } from "@voxbus/testing";
import { killChildren, root } from "./child.ts";
import { checkDocument, writeDocument, type MeasuredPart } from "./document.ts";
import { drawAllFlames } from "./flames.ts";
import { describeConditions, watchMachine, type Conditions } from "./machine.ts";
import { parts, readOptions, usage, type BenchOptions, type PartName } from "./options.ts";
import { measures } from "./parts.ts";
import { format, writeText, type Table } from "./section.ts";

/** The time for the machine to become quiet between two parts, ms. */
const pauseMs = 1000;
/** The longest time for a part, ms. */
const longestMs = 1_200_000;

// Servers that are not ours end at this process's exit.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    killChildren();
    process.exit(1);
  });
}

try {
  if (process.platform !== "linux")
    throw new Error("the benchmark needs Linux: it reads CPU time and memory from /proc");
  const options = readOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(usage);
  else if (options.flames) await drawFlames(options);
  else process.exitCode = await measureAll(options);
} catch (error) {
  process.stderr.write(`bench: ${describe(error)}\n`);
  process.exitCode = 1;
}

async function drawFlames({ sizes }: BenchOptions): Promise<void> {
  const [devices, seconds] = [sizes["flame-devices"][0]!, sizes["flame-seconds"][0]!];
  const files = await drawAllFlames({ devices, seconds, progress: showProgress });
  showProgress("");
  for (const file of files) print(relative(root, file));
}

/** Measures the parts one after the other. A part that fails does not keep the others from their turn. */
async function measureAll(options: BenchOptions): Promise<number> {
  if (options.write) checkDocument(options.only);
  const conditions = describeConditions();
  print(describeMachine(conditions));
  const figures: Record<string, unknown> = {};
  const done: MeasuredPart[] = [];
  for (const name of options.only) {
    print(`\n== ${name}: ${parts[name]}`);
    done.push(await measurePart(name, options, figures));
    print(`\n${describePart(done.at(-1)!)}`);
    // What is measured so far stays if the run is interrupted.
    if (options.json !== undefined) writeFigures(options.json, { conditions, options, done, figures });
    if (options.write) await writeDocument(conditions, done);
    await sleep(pauseMs);
  }
  const verdicts = done.flatMap(({ tables }) =>
    tables.flatMap(({ lines }) => lines.filter((line) => typeof line !== "string")),
  );
  const missed = verdicts.filter(({ met }) => !met);
  print(`\n${verdicts.length - missed.length} of ${verdicts.length} targets met`);
  for (const { what, value, target } of missed) print(`  missed: ${what}: ${value}, target ${target}`);
  const failures = done.filter(({ error }) => error !== undefined);
  for (const { name, error } of failures) process.stderr.write(`bench: part ${name} failed: ${error}\n`);
  return failures.length > 0 ? 1 : 0;
}

/** Writes every number to a file. */
function writeFigures(
  file: string,
  run: {
    readonly conditions: Conditions;
    readonly options: BenchOptions;
    readonly done: readonly MeasuredPart[];
    readonly figures: Readonly<Record<string, unknown>>;
  },
): void {
  const { conditions, options, done, figures } = run;
  const busy = Object.fromEntries(done.map(({ name, busy }) => [name, busy]));
  const failed = Object.fromEntries(done.flatMap(({ name, error }) => (error === undefined ? [] : [[name, error]])));
  writeFileSync(file, `${JSON.stringify({ conditions, options, busy, failed, ...figures }, undefined, 2)}\n`);
}

async function measurePart(
  name: PartName,
  options: BenchOptions,
  figures: Record<string, unknown>,
): Promise<MeasuredPart> {
  const tables: Table[] = [];
  const endWatch = watchMachine();
  let error: string | undefined;
  try {
    const nats = await startNatsServer();
    try {
      const measuring = measures[name]({
        options,
        nats,
        size: (size) => options.sizes[size][0]!,
        progress: showProgress,
        show(added) {
          tables.push(...added);
          showProgress("");
          for (const table of added) print(writeText(table));
        },
        keep: (key, rows) => (figures[key] = rows),
      });
      await endInTime(measuring);
    } finally {
      await nats.stop();
    }
  } catch (thrown) {
    error = describe(thrown);
  }
  showProgress("");
  const busy = endWatch();
  return { name, tables, busy, isVoid: busy.others > options.sizes.busy[0]!, error };
}

/** Waits for a part. One that hangs fails, and so do all that wait for its processes. */
async function endInTime(measuring: Promise<void>): Promise<void> {
  const done = new AbortController();
  const late = async () => {
    await sleep(longestMs, undefined, { signal: done.signal });
    killChildren();
    throw new Error(`it took longer than ${longestMs / 1000} s`);
  };
  try {
    await Promise.race([measuring, late()]);
  } finally {
    done.abort();
  }
}

function describeMachine({ commit, node, nats, cores, cpu, memoryGib }: Conditions): string {
  return `commit ${commit}, Node ${node}, nats-server ${nats}, ${cores} cores of ${cpu}, ${memoryGib} GiB`;
}

/** Tells how long a part took, and how busy the machine was otherwise. */
function describePart({ name, busy, isVoid, error }: MeasuredPart): string {
  const others = `other programs used ${format(busy.others)} cores, ours ${format(busy.ours)}`;
  const validity = isVoid ? "; THESE FIGURES ARE VOID: the machine was too busy" : "";
  return `${name} took ${format(busy.seconds, 0)} s; ${others}${validity}${error === undefined ? "" : `; FAILED: ${error}`}`;
}

/** Shows the running measurement, on a terminal in a single line. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text} `);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
