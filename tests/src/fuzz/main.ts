import { parseArgs } from "node:util";
import { quantile } from "./numbers.ts";
import { fuzz } from "./run.ts";

const help = `npm run test:fuzz -- [--inputs N] [--seed N]

Sends a whole system, and its parsers alone, inputs that nobody should send, with a well-behaved device beside; says what
became of them and exits with 1 if anything crashed, hung, grew, or was refused without being counted.

  --inputs  how many inputs [1000000]
  --seed    makes the same inputs again [from the clock]
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
    return say("--inputs is a whole number from 1000 on, --seed a whole number");
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
  for (const { program, before, after } of report.vitals)
    say(`${program.padEnd(24)} ${before} MB, at the end ${after} MB`);
  for (const [what, values] of Object.entries(report.bystander)) {
    if (what === "problems") continue;
    const [median, high, most] = [0.5, 0.99, 1].map((share) => Math.round(quantile(values as number[], share)));
    say(
      `bystander, ${what.padEnd(13)} ${values.length}, ${median} ms in the median, p99 ${high} ms, at most ${most} ms`,
    );
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
