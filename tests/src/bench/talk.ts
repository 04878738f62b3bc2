import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { loadSpeech } from "@voxbus/testing";
import { answerParent } from "./child.ts";
import { openPatiently } from "./open-device.ts";
import { makeSpeech, Talker, type Speech, type TalkedTurn, type TurnKind } from "./talker.ts";

/** A turn that was measured, and when it began and ended, ms after the start of the run. */
export interface TimedTurn extends TalkedTurn {
  readonly began: number;
  readonly ended: number;
}

/** The result of a run. */
export interface TalkResult {
  readonly turns: readonly TimedTurn[];
  /** The number of connections that the server closed. */
  readonly closed: number;
  /** The delay of the generator's own event loop, p99, ms: what it adds to its figures. */
  readonly loopDelay: number;
}

/** One run: devices that talk for `seconds`, each with a pause between its turns. */
export interface TalkRun {
  readonly devices: number;
  readonly seconds: number;
  readonly kinds: readonly TurnKind[];
  /** The time in which the first turns begin, ms. */
  readonly spreadMs: number;
  /** The mean pause after a turn, ms; pauses are 0.5 to 1.5 of it. */
  readonly pauseMs: number;
}

// What the embedded recognizer knows and the embedded assistant answers in a few words.
const names = ["joke", "time", "sum", "hello"] as const;
const speeches: readonly Speech[] = names.map((name) => makeSpeech(loadSpeech(name)));
const talkers: Talker[] = [];
const random = createRandom(11);

/** Opens devices anew, a few at a time and spread over the servers. Returns the time of each from its connection to its hello, ms. */
async function connect({ urls, prefix, count }: { urls: readonly string[]; prefix: string; count: number }) {
  const targets = urls.map((url) => new URL(url));
  const hellos: number[] = [];
  for (const talker of talkers.splice(0)) talker.close();
  const atOnce = 10;
  while (talkers.length < count) {
    const first = talkers.length;
    const opening = Array.from({ length: Math.min(atOnce, count - first) }, async (_, at) => {
      const began = performance.now();
      const target = targets[(first + at) % targets.length]!;
      const device = await openPatiently(target, `${prefix}${first + at}`, "hello");
      hellos.push(performance.now() - began);
      return new Talker(device, speeches[(first + at) % speeches.length]!);
    });
    talkers.push(...(await Promise.all(opening)));
  }
  return hellos;
}

async function run(plan: TalkRun): Promise<TalkResult> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const turns: TimedTurn[] = [];
  const begin = performance.now();
  const until = begin + plan.seconds * 1000;
  const talk = async (talker: Talker, at: number) => {
    await sleep(((at + random()) * plan.spreadMs) / plan.devices);
    for (let turn = at; performance.now() < until && talker.isOpen; turn += 1) {
      const began = performance.now() - begin;
      const result = await talker.hold(plan.kinds[turn % plan.kinds.length]!);
      turns.push({ ...result, began, ended: performance.now() - begin });
      const pause = plan.pauseMs * (0.5 + random());
      // A pause that is cut short would let all devices begin their last turn at once.
      if (performance.now() + pause >= until) return;
      await sleep(pause);
    }
  };
  await Promise.all(talkers.slice(0, plan.devices).map(talk));
  delay.disable();
  const closed = talkers.slice(0, plan.devices).filter(({ isOpen }) => !isOpen).length;
  return { turns, closed, loopDelay: delay.percentile(99) / 1e6 };
}

/** Makes random numbers that are the same in every run, 0 to 1 (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

answerParent({ connect, run });
