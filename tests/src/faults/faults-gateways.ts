import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault.ts";
import { openIdle } from "./guests.ts";
import type { Stage } from "./stage.ts";
import { workers, type Program } from "./world.ts";

const socketDied = { what: "cut", why: "the socket itself died" } as const;
const idleDevices = 60;
/** The shortest time over which a draining gateway spreads its closes, ms. */
const leastSpreadMs = 1000;

/** Ends each process of a program in turn; the next one when the previous one is back. */
const rollProgram = async (stage: Stage, program: Program, end: (pid: number) => Promise<void>) => {
  for (const pid of stage.world.pids(program)) {
    await end(pid);
    while (stage.world.pids(program).includes(pid)) await sleep(100);
    await stage.world.ready(program);
  }
};

const rollGateways = (how: "SIGTERM" | "pre-stop") => async (stage: Stage) => {
  const idle = await openIdle(stage.entrance, idleDevices);
  await stage.next("mid sound");
  await rollProgram(stage, "gateway", async (pid) => {
    const closed = idle.closes.length;
    const { ops, device } = stage.world.addresses(pid);
    stage.begin();
    if (how === "pre-stop") {
      const response = await fetch(`${ops}/pre-stop`, { method: "POST" });
      if (!response.ok) stage.complain(`pre-stop answered ${response.status}`);
      const { connections } = (await (await fetch(new URL("/ws/stats", device?.replace("ws", "http")))).json()) as {
        connections: number;
      };
      if (connections > 0) stage.complain(`${connections} devices were still connected when pre-stop returned`);
    }
    stage.strike("SIGTERM", [pid]);
    while (stage.world.pids("gateway").includes(pid)) await sleep(50);
    const closes = idle.closes.slice(closed);
    const times = closes.map(({ at }) => at);
    const spread = Math.max(...times) - Math.min(...times);
    if (spread < leastSpreadMs) stage.complain(`${times.length} devices were closed within ${Math.round(spread)} ms`);
    const others = closes.filter(({ code }) => code !== 1012).map(({ code }) => code);
    if (others.length > 0) stage.complain(`silent devices were closed with ${others.join(", ")}`);
  });
  idle.close();
};

/** Faults of gateways, and drains of every program. */
export const gatewayFaults: readonly Fault[] = [
  {
    name: "kill -9 one gateway of two",
    world: "one",
    mayLose: socketDied,
    happen: async (stage) => {
      const [pid] = stage.world.pids("gateway");
      await stage.next("mid sound");
      stage.strike("SIGKILL", [pid!]);
      await sleep(100);
      await stage.world.ready("gateway");
    },
  },
  {
    name: "SIGSTOP one gateway of two for 8 s",
    world: "one",
    mayLose: socketDied,
    happen: async (stage) => {
      const [pid] = stage.world.pids("gateway");
      await stage.next("mid sound");
      stage.strike("SIGSTOP", [pid!]);
      await sleep(8000);
      stage.strike("SIGCONT", [pid!]);
      await stage.world.ready("gateway");
    },
  },
  {
    name: "drain: two gateways restarted one after the other (SIGTERM)",
    world: "one",
    happen: rollGateways("SIGTERM"),
  },
  {
    name: "drain: two gateways restarted one after the other (pre-stop)",
    world: "one",
    happen: rollGateways("pre-stop"),
  },
  {
    name: "drain: every worker of two restarted one after the other (SIGTERM)",
    world: "two",
    happen: async (stage) => {
      for (const worker of workers) {
        await stage.next("first sentence");
        await rollProgram(stage, worker, async (pid) => stage.strike("SIGTERM", [pid]));
      }
    },
  },
  {
    name: "drain: the only worker of each kind restarted (SIGTERM)",
    world: "one",
    happen: async (stage) => {
      for (const worker of workers) {
        await stage.next("first sentence");
        await rollProgram(stage, worker, async (pid) => stage.strike("SIGTERM", [pid]));
      }
    },
  },
];
