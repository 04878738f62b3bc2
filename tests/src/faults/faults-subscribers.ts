import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Fault } from "./fault.ts";
import type { Stage } from "./stage.ts";

const program = fileURLToPath(new URL("../../dist/faults/subscriber.js", import.meta.url));
const misbehaveMs = 15_000;

const subscribe = (how: "block" | "hoard") => async (stage: Stage) => {
  const servers = stage.world.nats.map(({ url }) => url).join(",");
  stage.begin();
  const child = spawn(process.execPath, [program, how, servers], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  await sleep(misbehaveMs);
  child.kill("SIGKILL");
  await exited;
};

/** Faults of other programs on the bus. */
export const subscriberFaults: readonly Fault[] = [
  {
    name: "a subscriber of everything blocks its event loop",
    world: "one",
    withinMs: 5000,
    happen: subscribe("block"),
  },
  {
    name: "a subscriber takes everything stored and never acks",
    world: "one",
    withinMs: 5000,
    happen: subscribe("hoard"),
  },
];
