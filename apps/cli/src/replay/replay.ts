import { RecordingError } from "../recording/format.ts";
import { isUnreadable, readMoment, type Moment } from "../recording/moments.ts";
import { readRecordingFile } from "../recording/reader.ts";
import { compareExchanges, type Comparison } from "./compare.ts";
import { readPlan, type DevicePlan, type Plan } from "./plan.ts";
import { DevicePlayer, type Pace, type Played } from "./player.ts";
import type { Target } from "./target.ts";
import { Witness } from "./witness.ts";

/** Bytes of messages that may wait for their time. Beyond, the file is not read on. */
const maxAheadBytes = 8 * 1_048_576;

/** A recording to replay, and its pace. */
export interface ReplayOptions {
  readonly path: string;
  readonly plan: Plan;
  /** The id that each recorded device gets. */
  readonly ids: ReadonlyMap<string, string>;
  readonly target: Target;
  readonly speed: number;
  readonly patienceMs: number;
}

/** The end of one device's replay. */
export interface ReplayedResult extends Played {
  readonly device: string;
  readonly id: string;
  readonly comparisons: readonly Comparison[];
  /** Why it ended early; undefined if it did not. */
  readonly error: unknown;
}

/** Reads the whole recording once. Throws RecordingError if it holds nothing to replay. */
export async function planReplay(path: string, devices: readonly string[] | undefined): Promise<Plan> {
  const plan = await readPlan(readRecordingFile(path), (device) => devices?.includes(device) ?? true);
  const missing = devices?.find((device) => !plan.devices.has(device));
  if (missing !== undefined) throw new RecordingError(`The recording has no messages of the device ${missing}.`);
  const speaking = [...plan.devices].filter(([, { frames }]) => frames > 0);
  if (speaking.length === 0)
    throw new RecordingError("The recording has no frames of a device, so there is nothing to replay.");
  return { ...plan, devices: new Map(speaking) };
}

/**
 * Replays a planned recording: each device by itself, all with the times of the recording. Resolves when every device has ended.
 * A device that fails ends alone. Throws the reason of the signal.
 */
export async function replay(options: ReplayOptions, signal: AbortSignal): Promise<readonly ReplayedResult[]> {
  const { path, plan, speed, patienceMs } = options;
  const start = performance.now();
  const pace: Pace = { due: (t) => start + (t - plan.from) / speed, speed, patienceMs };
  const ahead = createAhead(signal);
  const lanes = new Map(
    [...plan.devices].map(([device, one]) => [device, createLane(one, options, pace, ahead, signal)]),
  );
  try {
    for await (const record of readRecordingFile(path)) {
      if (record.type !== "message") continue;
      const moment = readQuietly(record);
      const lane = moment && lanes.get(moment.device);
      if (lane === undefined) continue;
      lane.push(moment!, record.data.byteLength);
      await ahead.room();
    }
    return await Promise.all([...lanes.values()].map((lane) => lane.end(plan.to)));
  } finally {
    for (const lane of lanes.values()) lane.stop();
  }
}

function readQuietly(record: Parameters<typeof readMoment>[0]): Moment | undefined {
  try {
    return readMoment(record);
  } catch (error) {
    if (isUnreadable(error)) return undefined; // the plan has counted it
    throw error;
  }
}

/** Bounds what was read and not played yet, of all devices together. */
function createAhead(signal: AbortSignal) {
  let bytes = 0;
  let wake = (): void => undefined;
  signal.addEventListener("abort", () => wake(), { once: true });
  return {
    add(more: number): void {
      bytes += more;
      if (bytes <= maxAheadBytes) wake();
    },
    async room(): Promise<void> {
      if (bytes > maxAheadBytes && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      signal.throwIfAborted();
    },
  };
}

/** The moments of one device that wait for their time. */
function createLane(
  plan: DevicePlan,
  { ids, target }: ReplayOptions,
  pace: Pace,
  ahead: ReturnType<typeof createAhead>,
  signal: AbortSignal,
) {
  const id = ids.get(plan.device)!;
  const witness = new Witness();
  const stopped = new AbortController();
  const player = new DevicePlayer(
    { plan, device: { id, mcp: plan.mcp, witness }, target, pace },
    AbortSignal.any([signal, stopped.signal]),
  );
  const queue: { readonly moment: Moment; readonly bytes: number }[] = [];
  let running: Promise<void> | undefined;
  let error: unknown;

  async function run(): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        if (error === undefined) await player.play(next.moment);
      } catch (problem) {
        error = problem;
      }
      ahead.add(-next.bytes);
    }
    running = undefined;
  }
  return {
    push(moment: Moment, bytes: number): void {
      ahead.add(bytes);
      queue.push({ moment, bytes });
      running ??= run();
    },
    async end(to: number): Promise<ReplayedResult> {
      await running;
      if (error === undefined) await player.finish(to).catch((problem: unknown) => void (error = problem));
      signal.throwIfAborted();
      const comparisons = compareExchanges(plan.exchanges, witness.exchanges);
      return { device: plan.device, id, ...player.played, comparisons, error };
    },
    stop: () => stopped.abort(),
  };
}
