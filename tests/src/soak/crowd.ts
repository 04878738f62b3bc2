import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The size of a crowd and the turns it has. */
export interface CrowdPlan {
  readonly url: string;
  readonly devices: number;
  /** Turns that begin per second, over all devices. */
  readonly rate: number;
  /** The share of spoken turns; the others are typed. */
  readonly spoken: number;
  readonly minutes: number;
}

/** The outcomes of the turns, from the fleets that reported them. */
export interface CrowdTally {
  started: number;
  answered: number;
  lost: number;
  /** The number of groups that disconnected, and of those that were killed. */
  left: number;
  cut: number;
}

const fleet = fileURLToPath(new URL("../../../apps/simulator/dist/fleet.js", import.meta.url));
/** The number of groups that come and go, and their share of all devices. */
const groups = 4;
const comingAndGoing = 0.4;
const stay = { leastMs: 30_000, mostMs: 90_000 };
const awayMs = 5000;
const endMs = 40_000;

/**
 * Lets devices talk for `minutes`. Some stay; others come and go in groups, and every third group is killed. Resolves when all
 * have left. `signal` ends it early.
 */
export async function runCrowd(plan: CrowdPlan, tally: CrowdTally, signal: AbortSignal): Promise<void> {
  const until = Date.now() + plan.minutes * 60_000;
  const moving = Math.round((plan.devices * comingAndGoing) / groups);
  const staying = plan.devices - moving * groups;
  const rateOf = (devices: number) => (plan.rate * devices) / plan.devices;
  const comeAndGo = async (group: number) => {
    for (let k = group; !signal.aborted; k += 1) {
      const left = until - Date.now();
      if (left < stay.leastMs / 2) return;
      const ms = Math.min(left, stay.leastMs + Math.random() * (stay.mostMs - stay.leastMs));
      const cut = k % 3 === 2;
      await runFleet({ ...plan, devices: moving, rate: rateOf(moving), minutes: ms / 60_000 }, `soak-${group}`, {
        tally,
        cutAfter: cut ? ms : undefined,
        signal,
      });
      tally[cut ? "cut" : "left"] += 1;
      await sleep(Math.random() * awayMs);
    }
  };
  await Promise.all([
    runFleet({ ...plan, devices: staying, rate: rateOf(staying) }, "soak-s", { tally, cutAfter: undefined, signal }),
    ...Array.from({ length: groups }, (_, group) => comeAndGo(group)),
  ]);
}

async function runFleet(
  { url, devices, rate, spoken, minutes }: CrowdPlan,
  prefix: string,
  options: { readonly tally: CrowdTally; readonly cutAfter: number | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { tally, cutAfter, signal } = options;
  const plan = { devices, rate: Math.max(0.001, rate), minutes, spoken, url, prefix, "connect-rate": 50 };
  const args = Object.entries(plan).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [fleet, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-4000)));
  const end = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  const killed = cutAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), cutAfter);
  const hung = setTimeout(() => child.kill("SIGKILL"), minutes * 60_000 + devices * 20 + endMs);
  await once(child, "close");
  clearTimeout(killed);
  clearTimeout(hung);
  signal.removeEventListener("abort", end);
  const counts = /turns: (\d+) started, (\d+) answered, (\d+) lost/.exec(output);
  if (counts === null) return;
  tally.started += Number(counts[1]);
  tally.answered += Number(counts[2]);
  tally.lost += Number(counts[3]);
}
