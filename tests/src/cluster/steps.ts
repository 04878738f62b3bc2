import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { awaitMoment, type Moment } from "../faults/stage.ts";
import type { Cluster } from "./cluster.ts";
import { programs, type ProgramName } from "./member.ts";
import { thisRelease, type Release } from "./release.ts";

/** The tools of a step. */
export interface Place {
  readonly cluster: Cluster;
  readonly next: Release;
  /** Resolves with the next device that reaches this moment. */
  awaitMoment(moment: Moment): Promise<string>;
}

/** A step of maintenance, which no device may notice. */
export interface Step {
  readonly name: string;
  readonly quick?: boolean;
  readonly happen: (place: Place) => Promise<void>;
}

/** The time in which turns run without maintenance, for comparison, ms. */
const calmMs = 15_000;

/** Moments at which a process of a program has work to hand over, as far as the command line's user may see them. */
const moments = {
  gateway: "mid sound",
  asr: "speaking",
  tts: "mid sound",
  dialogue: "speaking",
  tools: "played",
  monitor: "played",
} as const satisfies Readonly<Record<ProgramName, Moment>>;

/** Replaces the processes of a program, one after the other. */
const roll = (program: ProgramName, pick: (place: Place) => Release) => async (place: Place) => {
  for (const member of place.cluster.members(program)) {
    await place.awaitMoment(moments[program]);
    await member.replace(pick(place));
  }
};

const restartNodes = (options: { readonly wipe: boolean }) => async (place: Place) => {
  for (const node of place.cluster.nats) {
    await place.awaitMoment("mid sound");
    await node.drain();
    if (options.wipe) node.wipe();
    await node.start();
  }
};

/** Copies the data while devices talk, loses all of it, and brings it back. */
const restoreBackup = async ({ cluster, awaitMoment }: Place) => {
  const file = join(cluster.folder, "cluster.backup");
  await cluster.voxbus("profiles", "set", "kept", '{"language":"de"}');
  await awaitMoment("mid sound");
  await cluster.voxbus("backup", file);
  // The gateways first: their devices still get their answers.
  await Promise.all(cluster.members("gateway").map((member) => member.drain()));
  const others = programs.filter((program) => program !== "gateway").flatMap((program) => cluster.members(program));
  await Promise.all(others.map((member) => member.drain()));
  for (const node of cluster.nats) {
    await node.kill();
    node.wipe();
  }
  await Promise.all(cluster.nats.map((node) => node.start()));
  await cluster.voxbus("restore", file);
  await Promise.all(cluster.members().map((member) => member.start(thisRelease)));
  const kept = await cluster.voxbus("profiles", "get", "kept", "--json");
  if (!kept.includes('"de"')) throw new Error(`the profile is not what it was: ${kept}`);
};

/** The steps in their order: in between, programs of both releases run beside each other. */
export const steps: readonly Step[] = [
  { name: "nothing (for comparison)", quick: true, happen: () => sleep(calmMs) },
  { name: "each server of NATS restarted", quick: true, happen: restartNodes({ wipe: false }) },
  { name: "each server of NATS replaced by an empty one", happen: restartNodes({ wipe: true }) },
  {
    name: "nginx reloaded",
    quick: true,
    happen: async ({ cluster, awaitMoment }) => {
      await awaitMoment("mid sound");
      cluster.nginx.reload();
      await awaitMoment("played");
    },
  },
  ...programs.map((program): Step => ({
    name: `each ${program} replaced`,
    quick: program === "gateway",
    happen: roll(program, () => thisRelease),
  })),
  ...programs.toReversed().map((program): Step => ({
    name: `each ${program} upgraded`,
    quick: program === "tts",
    happen: roll(program, ({ next }) => next),
  })),
  ...programs.map((program): Step => ({
    name: `each ${program} rolled back`,
    quick: program === "tts",
    happen: roll(program, () => thisRelease),
  })),
  { name: "everything backed up, wiped and restored", happen: restoreBackup },
];

/** Gives the tools of the steps, for the devices whose ids begin with `fleet`. */
export function createPlace(cluster: Cluster, next: Release, fleet: string): Place {
  return { cluster, next, awaitMoment: (moment) => awaitMoment(cluster, moment, fleet) };
}
