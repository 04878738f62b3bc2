import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { runCrowd, type CrowdTally } from "./crowd.ts";
import { describeBounds, formatSample, formatTable } from "./print.ts";
import { takeSample, type Sample } from "./sample.ts";
import { startSystem } from "./system.ts";
import { findGrowth, findLeaks } from "./verdict.ts";

const help = `Lets devices come, talk and go for a long time, and checks that nothing of them remains.

  npm run test:soak -- --minutes 60 --devices 500

  --minutes M     duration (60)
  --devices N     largest number of devices; 40 % of them come and go (500)
  --rate R        turns that begin per second, over all devices (1)
  --spoken SHARE  share of spoken turns; the others are typed (0.05)
  --help

It starts its own system. Ctrl-C ends it early. Exit code: 1 if something leaks.
`;

const sampleMs = 30_000;
/** The warm-up is not fitted: a fifth of the run, at least until everything was used once. */
const warmUp = { share: 0.2, leastMs: 120_000 };
const settleMs = 20_000;

async function soak(plan: { minutes: number; devices: number; rate: number; spoken: number }): Promise<number> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const system = await startSystem();
  try {
    await sleep(settleMs / 2);
    const before = await takeSample(system);
    const began = Date.now();
    const tally: CrowdTally = { started: 0, answered: 0, lost: 0, left: 0, cut: 0 };
    const samples: Sample[] = [];
    const over = new AbortController();
    const crowd = runCrowd({ ...plan, url: system.device }, tally, stop.signal).finally(() => over.abort());
    console.log(
      `${plan.devices} devices for ${plan.minutes} minutes: ${plan.rate} turns/s, ${plan.spoken * 100} % spoken`,
    );
    const end = began + plan.minutes * 60_000;
    for (let next = began + sampleMs; next < end && !over.signal.aborted; next += sampleMs) {
      await sleep(Math.max(0, next - Date.now()), undefined, { signal: over.signal }).catch(() => undefined);
      const sample = await takeSample(system);
      samples.push(sample);
      if (samples.length % 2 === 0) console.log(formatSample(sample, began, tally));
    }
    await crowd;
    await sleep(settleMs);
    const after = await takeSample(system);
    const from = began + Math.max(warmUp.leastMs, warmUp.share * plan.minutes * 60_000);
    const growth = findGrowth(samples.filter(({ at }) => at >= from));
    console.log(`\n${formatTable({ before, last: samples.at(-1) ?? after, after, growth })}\n`);
    console.log(
      `turns: ${tally.started} started, ${tally.answered} answered, ${tally.lost} lost; ` +
        `groups: ${tally.left} disconnected, ${tally.cut} killed`,
    );
    const leaks = findLeaks({ before, after, growth });
    console.log(`\n${describeBounds()}\n`);
    console.log(
      leaks.length === 0 ? "verdict: nothing leaks" : `verdict:\n${leaks.map((leak) => `  ${leak}`).join("\n")}`,
    );
    return leaks.length === 0 ? 0 : 1;
  } finally {
    await system.close();
  }
}

const number = { type: "string" } as const;
const { values } = parseArgs({
  options: {
    minutes: { ...number, default: "60" },
    devices: { ...number, default: "500" },
    rate: { ...number, default: "1" },
    spoken: { ...number, default: "0.05" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(help);
else {
  const plan = {
    minutes: Number(values.minutes),
    devices: Number(values.devices),
    rate: Number(values.rate),
    spoken: Number(values.spoken),
  };
  if (Object.values(plan).some((value) => !(value >= 0))) throw new Error("--help lists the options");
  process.exitCode = await soak(plan);
}
