import { parseArgs } from "node:util";
import { takeQuantile } from "../bench/numbers.ts";
import { fuzz } from "./run.ts";

const help = `npm run test:fuzz -- [--inputs N] [--seed N]

Sends bad inputs to a whole system and to its parsers alone, beside a well-behaved device. Prints the outcomes and exits with
1 if anything crashed, hung or grew, or if a refusal was not counted.

  --inputs  number of inputs [1000000]
  --seed    the same seed makes the same inputs [from the clock]
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { inputs: { type: "string" }, seed: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help) return say(help);
  const inputs = Number(values.inputs ?? 1_000_000);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!Number.isInteger(inputs) || inputs < 1000 || !Number.isInteger(seed)) {
    process.exitCode = 2;
    return say("--inputs must be a whole number of at least 1000, --seed a whole number");
  }
  const began = performance.now();
  say(`${inputs} inputs of seed ${seed}`);
  const report = await fuzz({ seed, inputs, tell: say });

  say("");
  for (const [target, counts] of Object.entries(report.outcomes)) {
    const each = Object.entries(counts).sort(([, a], [, b]) => b - a);
    say(`${target.padEnd(24)} ${each.map(([outcome, times]) => `${outcome} ${times}`).join(", ")}`);
  }
  say("");
  for (const { program, pid, rss, handles, cpu } of report.rest.vitals) {
    const before = report.warmUp.vitals.find((one) => one.pid === pid)?.rss ?? rss;
    say(
      `${program.padEnd(24)} ${before} MB, at the end ${rss} MB, ${handles} descriptors, ${cpu.toFixed(2)} of a core`,
    );
  }
  say(`gateway buffered         ${Math.round(report.rest.buffered / 1024)} KiB at most`);
  for (const [what, values] of Object.entries(report.bystander)) {
    if (what === "problems" || values.length === 0) continue;
    const sorted = (values as number[]).toSorted((a, b) => a - b);
    const [median, high, most] = [0.5, 0.99, 1].map((share) => Math.round(takeQuantile(sorted, share)));
    say(`bystander, ${what.padEnd(13)} ${values.length}, median ${median} ms, p99 ${high} ms, max ${most} ms`);
  }
  say(`slowest parser           ${Math.round(report.slowestMs)} ms for one input`);
  say("");
  for (const failure of report.failures) say(`FAILED: ${failure}`);
  say(
    `${report.inputs} inputs in ${Math.round((performance.now() - began) / 1000)} s: ${report.failures.length} failures`,
  );
  if (report.failures.length > 0) process.exitCode = 1;
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
await main();
