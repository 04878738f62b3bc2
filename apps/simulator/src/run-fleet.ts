import { once, setMaxListeners } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Identity } from "./connection.ts";
import type { DeviceOptions } from "./device-client.ts";
import { uuidOf } from "./device-options.ts";
import { createDeviceTools } from "./device-tools.ts";
import { joinFleet, type FleetLine } from "./fleet-member.ts";
import { createTally, type Tally } from "./fleet-stats.ts";
import { encodeSilence, loadUtterance } from "./utterance.ts";

/** What a fleet is and does. */
export interface FleetPlan {
  readonly devices: number;
  /** Turns begun per second, over all devices. */
  readonly rate: number;
  readonly minutes: number;
  /** Devices are spread over these in turn. */
  readonly urls: readonly string[];
  readonly prefix: string;
  readonly token: string | undefined;
  readonly protocol: Identity["protocol"];
  /** The share of turns that are spoken, 0 to 1; the others are typed. */
  readonly spoken: number;
  /** Devices connecting per second. */
  readonly connectRate: number;
  readonly patienceMs: number;
}

/** How a fleet is doing. */
export interface FleetProgress {
  readonly tally: Tally;
  readonly connected: number;
  readonly running: number;
  /** How long it has run, in ms. */
  readonly ms: number;
}

// A timer announces itself in a later turn, a story takes a minute and help a quarter of one.
const unsuited = new Set(["timer", "story", "help"]);

/** What a fleet can say: the samples that the assistant understands and answers shortly. Throws when there are none. */
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
 * Connects all devices, then begins turns at `rate` on an absolute clock until the minutes are over or the signal is
 * aborted, lets the running turns end, and gives what was counted. `onProgress` is called every second. Throws when no device
 * can connect.
 */
export async function runFleet(
  plan: FleetPlan,
  lines: readonly FleetLine[],
  onProgress: (progress: FleetProgress) => void,
  signal?: AbortSignal,
): Promise<Tally> {
  const tally = createTally();
  const silence = encodeSilence();
  const leave = new AbortController();
  setMaxListeners(0, leave.signal);
  const members = Array.from({ length: plan.devices }, (_, i) => {
    const id = `${plan.prefix}-${String(i + 1).padStart(5, "0")}`;
    const device: DeviceOptions = {
      url: plan.urls[i % plan.urls.length]!,
      id,
      clientId: uuidOf(id),
      token: plan.token,
      protocol: plan.protocol,
      mode: "auto",
      silence,
      tools: createDeviceTools(),
    };
    const delayMs = (i * 1000) / plan.connectRate;
    return joinFleet({ device, tally, patienceMs: plan.patienceMs, delayMs }, leave.signal);
  });

  const began = performance.now();
  const running = new Set<Promise<void>>();
  const progress = setInterval(() => {
    const connected = members.filter((member) => member.connected).length;
    onProgress({ tally, connected, running: running.size, ms: performance.now() - began });
  }, 1000);
  let nextMember = 0;
  const findFree = () => {
    for (let tried = 0; tried < members.length; tried++) {
      const member = members[nextMember++ % members.length]!;
      if (member.free) return member;
    }
    return undefined;
  };
  const begun = { spoken: 0, typed: 0 };
  const begin = () => {
    const member = findFree();
    if (member === undefined) {
      tally.counts.skipped++;
      return;
    }
    const speak = begun.spoken < plan.spoken * (begun.spoken + begun.typed + 1);
    const { text, utterance } = lines[(speak ? begun.spoken++ : begun.typed++) % lines.length]!;
    const turn = member.runTurn({ text, utterance: speak ? utterance : undefined });
    running.add(turn);
    void turn.finally(() => running.delete(turn));
  };

  const arrive = async () => {
    const stopped = signal === undefined ? [] : [once(signal, "abort")];
    await Promise.race([Promise.all(members.map((member) => member.arrived)), ...stopped]);
    if (signal?.aborted || members.some((member) => member.connected)) return;
    throw new Error(
      `None of the devices could connect (${[...tally.failures.keys()].join(", ")}). ` +
        "Start a server with `npm start` in another shell, or name another with --url.",
    );
  };
  const talk = async () => {
    const start = performance.now();
    const turns = Math.floor(plan.rate * plan.minutes * 60);
    for (let k = 0; k < turns; k++) {
      const wait = start + (k * 1000) / plan.rate - performance.now();
      if (wait > 0) await sleep(wait, undefined, { signal });
      signal?.throwIfAborted();
      begin();
    }
  };

  try {
    await arrive();
    await talk();
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    await Promise.all(running);
    leave.abort();
    await Promise.all(members.map((member) => member.left));
    clearInterval(progress);
  }
  return tally;
}
