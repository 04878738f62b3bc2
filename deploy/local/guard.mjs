import { setTimeout as sleep } from "node:timers/promises";

// What a killed launcher leaves behind is ended from here: nats-server knows nothing of its launcher, and a program that
// hangs does not notice. The launcher sends the process groups it started whenever they change.
let groups = { programs: [], servers: [] };

process.on("message", (message) => (groups = message));
process.on("disconnect", () => void endAll());

async function endAll() {
  await endGroups(groups.programs, { bound: 5_000 });
  for (const group of groups.servers) signalGroup(group, "SIGTERM");
  await endGroups(groups.servers, { bound: 2_000 });
}

/** Waits until the groups are gone, at most `bound` ms, and kills what is left. */
async function endGroups(list, { bound }) {
  const end = Date.now() + bound;
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
