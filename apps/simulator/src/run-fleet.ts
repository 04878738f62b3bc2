import { once, setMaxListeners } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { FramingVersion } from "@voxbus/protocol";
import { uuidOf } from "./device-options.ts";
import { createDeviceTools } from "./device-tools.ts";
import { joinFleet, type FleetLine, type FleetMember } from "./fleet-member.ts";
import { createFleetStats, type FleetStats } from "./fleet-stats.ts";
import { encodeSilence, loadUtterance } from "./utterance.ts";

/** The devices of a fleet. */
export interface FleetDevices {
  readonly count: number;
  /** The servers; devices are spread over them in turn. */
  readonly urls: readonly string[];
  readonly prefix: string;
  readonly token: string | undefined;
  readonly protocol: FramingVersion;
  /** The number of devices that connect per second. */
  readonly connectRate: number;
  /** True if they go on listening between turns, as stock firmware does. */
  readonly listening: boolean;
}

/** The size of a fleet and the turns it has. */
export interface FleetPlan {
  readonly devices: FleetDevices;
  /** The number of turns that begin per second, over all devices. */
  readonly rate: number;
  readonly minutes: number;
  /** The share of spoken turns, 0 to 1; the others are typed. */
  readonly spoken: number;
  /** The longest wait for a message of the server in a turn, in ms. */
  readonly timeoutMs: number;
}

/** The progress of a running fleet. */
export interface FleetProgress {
  readonly stats: FleetStats;
  readonly connected: number;
  readonly running: number;
  /** The time since its start, in ms. */
  readonly ms: number;
}

// A timer announces itself in a later turn, a story takes a minute and help a quarter of one.
const unsuited = new Set(["timer", "story", "help"]);

/** Loads the samples that the assistant understands and answers in a few words. Throws if none is suitable. */
export async function loadFleetLines(directory: URL): Promise<FleetLine[]> {
  const list = JSON.parse(await readFile(new URL("samples.json", directory), "utf8")) as {
    readonly file: string;
    readonly text: string;
    readonly intent: string | null;
  }[];
  const suited = list.filter(({ intent }) => intent !== null && !unsuited.has(intent));
  if (suited.length === 0) throw new Error(`${directory.href} lists no samples that a fleet can say`);
  return Promise.all(
    suited.map(async ({ file, text }) => ({ text, utterance: await loadUtterance(new URL(file, directory).pathname) })),
  );
}

/**
 * Connects all devices, then begins turns at `rate` on an absolute clock until the time is over or the signal is aborted. Waits
 * for the running turns and returns the statistics. Calls `onProgress` every second. Throws if no device can connect.
 */
export async function runFleet(
  plan: FleetPlan,
  lines: readonly FleetLine[],
  onProgress: (progress: FleetProgress) => void,
  signal?: AbortSignal,
): Promise<FleetStats> {
  const stats = createFleetStats();
  const leave = new AbortController();
  setMaxListeners(0, leave.signal);
  const members = joinMembers(plan, stats, leave.signal);
  const running = new Set<Promise<void>>();
  const begin = createTurnStarter({ members, lines, spoken: plan.spoken, stats });

  const began = performance.now();
  const progress = setInterval(() => {
    const connected = members.filter((member) => member.connected).length;
    onProgress({ stats, connected, running: running.size, ms: performance.now() - began });
  }, 1000);
  try {
    await awaitArrival(members, stats, signal);
    await pace(plan, signal, () => {
      const turn = begin();
      if (turn === undefined) return;
      running.add(turn);
      void turn.finally(() => running.delete(turn));
    });
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    await Promise.all(running);
    leave.abort();
    await Promise.all(members.map((member) => member.left));
    clearInterval(progress);
  }
  return stats;
}

function joinMembers(
  { devices, timeoutMs }: FleetPlan,
  stats: FleetStats,
  signal: AbortSignal,
): readonly FleetMember[] {
  const { count, urls, prefix, token, protocol, connectRate, listening } = devices;
  const silence = encodeSilence();
  // A device that listens sends 17 packets a second.
  const quirks = { noRelisten: !listening };
  return Array.from({ length: count }, (_, i) => {
    const id = `${prefix}-${String(i + 1).padStart(5, "0")}`;
    const identity = { url: urls[i % urls.length]!, id, clientId: uuidOf(id), token, protocol };
    const device = { identity, mode: "auto", silence, tools: createDeviceTools(), quirks } as const;
    return joinFleet({ device, stats, timeoutMs, delayMs: (i * 1000) / connectRate }, signal);
  });
}

/** Returns a function that begins a turn on a free member, or counts it as skipped if there is no free member. */
function createTurnStarter(options: {
  readonly members: readonly FleetMember[];
  readonly lines: readonly FleetLine[];
  readonly spoken: number;
  readonly stats: FleetStats;
}): () => Promise<void> | undefined {
  const { members, lines, spoken, stats } = options;
  const begun = { spoken: 0, typed: 0 };
  let next = 0;
  const findFree = () => {
    for (let tried = 0; tried < members.length; tried++) {
      const member = members[next++ % members.length]!;
      if (member.free) return member;
    }
    return undefined;
  };
  return () => {
    const member = findFree();
    if (member === undefined) {
      stats.counts.skipped++;
      return undefined;
    }
    const speak = begun.spoken < spoken * (begun.spoken + begun.typed + 1);
    const { text, utterance } = lines[(speak ? begun.spoken++ : begun.typed++) % lines.length]!;
    return member.runTurn({ text, utterance: speak ? utterance : undefined });
  };
}

async function awaitArrival(members: readonly FleetMember[], stats: FleetStats, signal?: AbortSignal): Promise<void> {
  const stopped = signal === undefined ? [] : [once(signal, "abort")];
  await Promise.race([Promise.all(members.map((member) => member.arrived)), ...stopped]);
  if (signal?.aborted || members.some((member) => member.connected)) return;
  throw new Error(
    `None of the devices could connect (${[...stats.failures.keys()].join(", ")}). ` +
      "Start a server with `npm start` in another shell, or name another with --url.",
  );
}

async function pace({ rate, minutes }: FleetPlan, signal: AbortSignal | undefined, begin: () => void): Promise<void> {
  const start = performance.now();
  const turns = Math.floor(rate * minutes * 60);
  for (let k = 0; k < turns; k++) {
    const wait = start + (k * 1000) / rate - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal });
    signal?.throwIfAborted();
    begin();
  }
}
