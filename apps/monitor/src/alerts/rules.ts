import type { Limits, Severity } from "./hysteresis.ts";

/** What an operator may set: from when on something is told. */
export interface RuleSettings {
  /** Bytes. */
  readonly memory: number;
  /** Percent of what a process could use. */
  readonly cpu: number;
  readonly connections: number;
  readonly queue: number;
  /** ms from a question's end to the first sound of its answer. */
  readonly p95: number;
  readonly p99: number;
}

/** One kind of alert: its limits, and how it is put for people. */
export interface Rule extends Limits {
  readonly say: (what: string, value: number) => string;
  /** Put when it is over; without it the same sentence with the new value. */
  readonly over?: (what: string) => string;
}

const highFrom = 1.5;
const cpuHigh = 95;
const trendMemory = 50 * 1_000_000;
const trendConnections = 10;
const share = { zombies: 0.05, drops: 0.01, redeliveries: 0.05 } as const;

const soundsAgain = "Answers sound in time again, or nobody asks.";
const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;
const percent = (part: number) => `${Math.round(part * 1000) / 10} %`;
const ms = (value: number) => `${Math.round(value)} ms`;

/** Medium from the limit on and high from 1.5 times it; good again below nine tenths of it. */
const threshold = (limit: number, high = limit * highFrom): Limits => ({
  levels: [
    [high, "high"],
    [limit, "medium"],
  ],
  clear: limit * 0.9,
  raiseAfter: 1,
  clearAfter: 2,
});

const single = (limit: number, severity: Severity, clear: number): Limits => ({
  levels: [[limit, severity]],
  clear: limit * clear,
  raiseAfter: 1,
  clearAfter: 2,
});

/** Every kind of alert by its name. */
export function createRules(settings: RuleSettings) {
  return {
    memory: {
      ...threshold(settings.memory),
      say: (what, value) => `${what} uses ${megabytes(value)} of memory.`,
    },
    cpu: {
      ...threshold(settings.cpu, Math.max(settings.cpu, cpuHigh)),
      raiseAfter: 2,
      say: (what, value) => `${what} is ${Math.round(value)} % busy.`,
    },
    connections: {
      ...threshold(settings.connections),
      say: (what, value) => `${what} holds ${value} connections.`,
    },
    queue: {
      ...single(settings.queue, "high", 0.9),
      say: (what, value) => `${value} wait at ${what}.`,
    },
    "memory-trend": {
      ...single(trendMemory, "low", 0.5),
      say: (what, value) => `The memory of ${what} grew by ${megabytes(value)} over the last 10 points.`,
    },
    "connections-trend": {
      ...single(trendConnections, "low", 0.5),
      say: (what, value) => `The connections of ${what} grew by ${Math.round(value)} over the last 10 points.`,
    },
    "gateway-lost": {
      levels: [[1, "high"]],
      clear: 1,
      raiseAfter: 1,
      clearAfter: 1,
      say: (what) => `${what} is gone, and had not been drained: its devices are offline until they connect again.`,
      over: (what) => `${what} is back, or was given up.`,
    },
    "zombie-rate": {
      ...single(share.zombies, "medium", 0.5),
      say: (what, value) => `${percent(value)} of the devices at ${what} fell silent without a word.`,
    },
    "drop-rate": {
      ...single(share.drops, "medium", 0.5),
      say: (what, value) => `${what} drops ${percent(value)} of all frames.`,
    },
    "redelivery-rate": {
      ...single(share.redeliveries, "medium", 0.5),
      say: (what, value) => `${percent(value)} of the work of ${what} had been begun before by another worker.`,
    },
    "first-sound-p95": {
      ...threshold(settings.p95),
      over: () => soundsAgain,
      say: (_, value) => `5 % of all answers take longer than ${ms(value)} until their first sound.`,
    },
    "first-sound-p99": {
      ...threshold(settings.p99),
      over: () => soundsAgain,
      say: (_, value) => `1 % of all answers take longer than ${ms(value)} until their first sound.`,
    },
  } as const satisfies Readonly<Record<string, Rule>>;
}

/** The names of the kinds of alert; each stands in docs/operations.md. */
export type RuleName = keyof ReturnType<typeof createRules>;
