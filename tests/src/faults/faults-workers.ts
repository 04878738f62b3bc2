import type { Fault } from "./fault.ts";
import type { Moment, Stage } from "./stage.ts";
import { workers, type Worker } from "./world.ts";

const moments: Readonly<Record<Worker, Readonly<Record<"before" | "middle" | "end", Moment>>>> = {
  asr: { before: "listening", middle: "speaking", end: "heard" },
  dialogue: { before: "typed", middle: "first sentence", end: "last sentence" },
  tts: { before: "first sentence", middle: "mid sound", end: "last sound" },
};
const phases = ["before", "middle", "end"] as const;
const phaseNames = { before: "at the beginning", middle: "in the middle", end: "at the end" } as const;
/** Longer than a claim without its worker lasts (docs/bus.md), so that a successor has the job when the worker wakes. */
const pauseMs = 8000;

/** Kills all processes of a worker at a moment of a turn, and waits until it is back. */
const killAt = (worker: Worker, moment: Moment) => async (stage: Stage) => {
  const pids = stage.world.pids(worker);
  await stage.next(moment);
  stage.strike("SIGKILL", pids);
  await stage.sleep(100);
  await stage.world.ready(worker);
};

/** Kills one of two workers in turn, at each moment of its stage; the next one when the previous one is back. */
const killEach = (worker: Worker) => async (stage: Stage) => {
  for (const [at, phase] of phases.entries()) {
    const pids = stage.world.pids(worker);
    await stage.next(moments[worker][phase]);
    stage.strike("SIGKILL", [pids[at % pids.length]!]);
    await stage.sleep(6000);
    await stage.world.ready(worker);
  }
};

/** Stops processes for longer than their claims last, and continues them. */
const pause = async (stage: Stage, worker: Worker, phase: (typeof phases)[number], pids: readonly number[]) => {
  await stage.next(moments[worker][phase]);
  stage.strike("SIGSTOP", pids);
  await stage.sleep(pauseMs);
  stage.strike("SIGCONT", pids);
  await stage.world.ready(worker);
};
const pauseEach = (worker: Worker) => async (stage: Stage) => {
  const pids = stage.world.pids(worker);
  for (const [at, phase] of phases.entries()) await pause(stage, worker, phase, [pids[at % pids.length]!]);
};

/** Faults of the workers. */
export const workerFaults: readonly Fault[] = [
  { name: "nothing (for comparison)", world: "one", happen: (stage) => calm(stage) },
  ...workers.flatMap((worker) =>
    phases.map((phase): Fault => ({
      name: `kill -9 the only ${worker}, ${phaseNames[phase]} of its stage`,
      world: "one",
      quick: phase === "middle" && worker !== "dialogue",
      withinMs: 5000,
      happen: killAt(worker, moments[worker][phase]),
    })),
  ),
  ...workers.flatMap((worker): Fault[] => [
    {
      name: `SIGSTOP the only ${worker} for 8 s`,
      world: "one",
      happen: (stage) => pause(stage, worker, "middle", stage.world.pids(worker)),
    },
    {
      name: `kill -9 one ${worker} of two, at each moment of its stage`,
      world: "two",
      withinMs: 5000,
      happen: killEach(worker),
    },
    {
      name: `SIGSTOP one ${worker} of two for 8 s, at each moment of its stage`,
      world: "two",
      happen: pauseEach(worker),
    },
  ]),
  {
    // Longer than the gateway's deadline for the next frame (docs/bus.md), so the gateways apologize.
    name: "all of tts stopped for 25 s",
    world: "one",
    happen: async (stage) => {
      const pids = stage.world.pids("tts");
      await stage.next("first sentence");
      stage.strike("SIGSTOP", pids);
      await stage.sleep(25_000);
      stage.strike("SIGCONT", pids);
      await stage.world.ready("tts");
    },
  },
  {
    name: "kill -9 asr, dialogue and tts at once",
    world: "one",
    happen: async (stage) => {
      const pids = workers.flatMap((worker) => stage.world.pids(worker));
      await stage.next("heard");
      stage.strike("SIGKILL", pids);
      await stage.sleep(100);
      await Promise.all(workers.map((worker) => stage.world.ready(worker)));
    },
  },
  {
    name: "kill -9 monitor",
    world: "one",
    happen: async (stage) => {
      await stage.next("first sound");
      stage.strike("SIGKILL", stage.world.pids("monitor"));
      await stage.sleep(100);
      await stage.world.ready("monitor");
    },
  },
];

async function calm(stage: Stage): Promise<void> {
  stage.begin();
  await stage.next("heard");
  await stage.next("played");
}
