import { setTimeout as sleep } from "node:timers/promises";

// This process ends what a killed launcher leaves behind: nats-server does not know its launcher, and a program that
// hangs does not notice. The launcher sends the process groups that it started whenever they change.
let groups = { programs: [], servers: [] };

process.on("message", (message) => (groups = message));
process.on("disconnect", () => void endAll());

async function endAll() {
  await endGroups(groups.programs, 5_000);
  for (const group of groups.servers) signalGroup(group, "SIGTERM");
  await endGroups(groups.servers, 2_000);
}

/** Waits at most `boundMs` until the process groups are gone, and kills the rest. */
async function endGroups(list, boundMs) {
  const end = Date.now() + boundMs;
  while (Date.now() < end && list.some((group) => signalGroup(group, 0))) await sleep(50);
  for (const group of list) signalGroup(group, "SIGKILL");
}

function signalGroup(group, signal) {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    if (error.code === "ESRCH") return false;
    throw error;
  }
}
