import { setTimeout as sleep } from "node:timers/promises";
import { answerParent } from "./child.ts";
import { readNumber, type Greeting, type LoadDevice } from "./device.ts";
import { describeSpread, type Spread } from "./numbers.ts";
import { openPatiently } from "./open-device.ts";

/** `closed`: each connection sends after each echo. `paced`: 16.7 frames/s per connection, with their phases spread. */
export type Mode = "closed" | "paced";

/** One slice of load. */
export interface Slice {
  readonly mode: Mode;
  /** The measured time, s. A warm-up of a fifth of it, at least 0.2 s, runs before. */
  readonly seconds: number;
}

/** The result of a slice. */
export interface SliceResult extends Spread {
  /** Echoes per second of the measured time. */
  readonly rate: number;
  /** The frames of the whole slice. */
  readonly sent: number;
  readonly lost: number;
}

/** The times between the packets of replies, ms, and the shares of those that are too long. */
export interface Gaps extends Spread {
  readonly over65: number;
  readonly over120: number;
}

interface ConnectOptions {
  readonly url: string;
  readonly prefix: string;
  readonly count: number;
  readonly greeting: Greeting;
}

const periodMs = 60;
const drainMs = 3000;
const remembered = 256;

interface Lane {
  readonly device: LoadDevice;
  readonly sentAt: Float64Array;
  sent: number;
  received: number;
}

const lanes: Lane[] = [];

async function connect({ url, prefix, count, greeting }: ConnectOptions) {
  const target = new URL(url);
  while (lanes.length < count) {
    const first = lanes.length;
    const size = Math.min(100, count - first);
    const opening = Array.from({ length: size }, (_, at) => openPatiently(target, `${prefix}${first + at}`, greeting));
    for (const device of await Promise.all(opening)) {
      lanes.push({ device, sentAt: new Float64Array(remembered), sent: 0, received: 0 });
    }
  }
  return lanes.map(({ device }) => device.session);
}

function send(lane: Lane, at: number): void {
  lane.sentAt[lane.sent % remembered] = at;
  lane.device.send(lane.sent);
  lane.sent += 1;
}

async function run({ mode, seconds }: Slice): Promise<SliceResult> {
  const latencies: number[] = [];
  const before = countFrames();
  const begin = performance.now();
  const from = begin + Math.max(200, seconds * 200);
  const until = from + seconds * 1000;
  let measured = 0;

  const sendInTurn = (lane: Lane): void => {
    const at = performance.now();
    if (at < until) send(lane, at);
  };
  for (const lane of lanes) {
    lane.device.onBinary = (payload) => {
      const frame = readNumber(payload);
      const at = performance.now();
      lane.received += 1;
      if (at >= from && at < until) {
        measured += 1;
        latencies.push(at - (lane.sentAt[frame % remembered] ?? 0));
      }
      if (mode === "closed") sendInTurn(lane);
    };
  }
  if (mode === "closed") {
    for (const lane of lanes) sendInTurn(lane);
    await sleep(until - performance.now());
  } else {
    for (let next = 0, at = begin; at < until; await sleep(1), at = performance.now()) {
      for (; begin + (next * periodMs) / lanes.length <= at; next += 1) {
        const lane = lanes[next % lanes.length];
        if (lane) send(lane, performance.now());
      }
    }
  }
  const end = performance.now() + drainMs;
  const flying = () => countFrames().sent - before.sent - (countFrames().received - before.received);
  while (flying() > 0 && performance.now() < end) await sleep(10);
  const lost = flying();
  const closed = lanes.filter(({ device }) => !device.open).length;
  if (closed > 0) throw new Error(`the server closed ${closed} of ${lanes.length} connections`);
  return { ...describeSpread(latencies), rate: measured / seconds, sent: countFrames().sent - before.sent, lost };
}

function countFrames(): { sent: number; received: number } {
  let sent = 0;
  let received = 0;
  for (const lane of lanes) {
    sent += lane.sent;
    received += lane.received;
  }
  return { sent, received };
}

/** Sends `frames` frames on every connection, one every 10 ms, without waiting for echoes. */
async function fill({ frames }: { frames: number }): Promise<void> {
  for (let frame = 0; frame < frames; frame += 1) {
    for (const lane of lanes) send(lane, performance.now());
    await sleep(10);
  }
}

let gaps: number[] = [];

/** Begins to measure the gaps before the packets of replies, except the first three, which leave at once. */
function hear(): Promise<void> {
  gaps = [];
  for (const { device } of lanes) {
    let before = 0;
    device.onBinary = (payload) => {
      const frame = readNumber(payload);
      const at = performance.now();
      if (frame >= 3) gaps.push(at - before);
      before = at;
    };
  }
  return Promise.resolve();
}

/** Gives what was measured since `hear`. */
function heard(): Promise<Gaps> {
  const share = (ms: number) => gaps.filter((gap) => gap > ms).length / Math.max(1, gaps.length);
  return Promise.resolve({ ...describeSpread(gaps), over65: share(65), over120: share(120) });
}

function close(): void {
  for (const { device } of lanes.splice(0)) device.close();
}

answerParent({ connect, run, fill, hear, heard, close });
