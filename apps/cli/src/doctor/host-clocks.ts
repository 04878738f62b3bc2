import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { judge, type Finding } from "./finding.ts";
import { judgeClock } from "./nats-checks.ts";

/** Every program reports its numbers within this time, ms. */
const reportsMs = 5500;

/** Compares the clocks of the hosts on which programs run with this machine's, by their reports. It takes 5.5 s. */
export async function checkHosts(bus: Bus, signal: AbortSignal): Promise<readonly Finding[]> {
  const aheadOf = new Map<string, number>();
  const programs = new Set<string>();
  const reports = bus.subscribe(channels.stats("*"), ({ host, at, program, state }) => {
    if (state === "stopped") return;
    programs.add(program);
    const ahead = at - Date.now();
    const known = aheadOf.get(host);
    // The report that came fastest tells best.
    if (known === undefined || Math.abs(ahead) < Math.abs(known)) aheadOf.set(host, ahead);
  });
  await sleep(reportsMs, undefined, { signal }).catch(() => undefined); // the caller ends the command
  reports.close();
  const running = judge("programs");
  if (programs.size === 0)
    return [
      running.warning("no program runs on this NATS", "Start the system: npm start, or its containers or units."),
    ];
  return [
    running.ok(`${[...programs].toSorted().join(", ")} run`, { programs: [...programs] }),
    ...[...aheadOf].map(([host, aheadMs]) =>
      judgeClock(`the clock of ${host}`, aheadMs, "this machine's", judge("clock")),
    ),
  ];
}
