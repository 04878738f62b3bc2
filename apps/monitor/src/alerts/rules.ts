import { dropReasons, type Stats } from "@voxbus/protocol";
import { z } from "zod";
import type { Target } from "../measurements/targets.ts";
import type { Limits, Severity } from "./hysteresis.ts";

/** One kind of alert. A new kind needs a row in `rules` and one in docs/operations.md. */
export interface Rule {
  readonly name: string;
  /** The environment variable with the rule's limit. */
  readonly setting?: { readonly variable: string; readonly default: number; readonly describe: string };
  /** The limits of the measured value, from the setting. */
  readonly levels: (setting: number) => Limits;
  /** The measured value, by kind of target. An undefined value is not known now. */
  readonly measure: {
    readonly [K in Target["kind"]]?: (target: Extract<Target, { kind: K }>) => number | undefined;
  };
  /** Puts a value into a sentence for people; `label` names the target. */
  readonly say: (label: string, value: number) => string;
  /** The sentence when the alert is over. It has no value: the one that resolves an alert says little. */
  readonly over: (label: string) => string;
}

const megabyte = 1_000_000;
const megabytes = (bytes: number) => `${Math.round(bytes / megabyte)} MB`;
const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
const soundsAgain = () => "Answers sound in time again, or there are no questions.";

/** Medium at the limit and high at 1.5 times the limit; good again below 0.9 times the limit. */
const threshold = (limit: number, high = limit * 1.5): Limits => ({
  levels: [
    [high, "high"],
    [limit, "medium"],
  ],
  clear: limit * 0.9,
  raiseAfter: 1,
  clearAfter: 2,
});

/** One severity at the limit; good again below `clear` times the limit. */
const single = (limit: number, severity: Severity, clear: number): Limits => ({
  levels: [[limit, severity]],
  clear: limit * clear,
  raiseAfter: 1,
  clearAfter: 2,
});

/** One severity while a gauge is 1. */
const switched = (severity: Severity): Limits => ({ levels: [[1, severity]], clear: 1, raiseAfter: 1, clearAfter: 1 });

const total = (name: string) => (stats: Stats) => stats.totals[name] ?? 0;
const frames = ({ totals }: Stats) => (totals["framesReceived"] ?? 0) + (totals["framesSent"] ?? 0);
const talking = ({ gauges }: Stats) => {
  const { connections, idleConnections = 0 } = gauges;
  return connections === undefined ? undefined : connections - idleConnections;
};
const faults = Object.entries(dropReasons).flatMap(([reason, drop]) => (drop.class === "fault" ? [reason] : []));
const faultyDrops = ({ drops }: Stats) => faults.reduce((sum, reason) => sum + (drops[reason] ?? 0), 0);

const rows = [
  {
    name: "memory",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_MEMORY_MB",
      default: 1024,
      describe: "MB of a process's resident memory at which an alert is raised",
    },
    levels: (limit) => threshold(limit * megabyte),
    measure: { process: ({ stats }) => stats.rss },
    say: (label, value) => `${label} uses ${megabytes(value)} of memory.`,
    over: (label) => `${label} uses less memory again.`,
  },
  {
    name: "cpu",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_CPU_PERCENT",
      default: 80,
      describe: "percent of a process's available cores at which an alert is raised",
    },
    levels: (limit) => ({ ...threshold(limit, Math.max(limit, 95)), raiseAfter: 2 }),
    measure: { process: ({ busy }) => busy },
    say: (label, value) => `${label} is ${Math.round(value)} % busy.`,
    over: (label) => `${label} is less busy again.`,
  },
  {
    name: "loop-delay",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_LOOP_DELAY_MS",
      default: 100,
      describe: "ms of a process's event loop delay (p99) at which an alert is raised",
    },
    levels: (limit) => ({ ...threshold(limit), raiseAfter: 2 }),
    measure: { process: ({ stats }) => stats.loopDelay },
    say: (label, value) => `The event loop of ${label} is ${Math.round(value)} ms late.`,
    over: (label) => `The event loop of ${label} is on time again.`,
  },
  {
    name: "connections",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_CONNECTIONS",
      default: 1000,
      describe: "connections of a gateway, without idle MQTT devices, at which an alert is raised",
    },
    levels: (limit) => threshold(limit),
    measure: { process: ({ stats }) => talking(stats) },
    say: (label, value) => `${label} holds ${value} connections.`,
    over: (label) => `${label} holds fewer connections again.`,
  },
  {
    name: "idle-connections",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_IDLE_CONNECTIONS",
      default: 10_000,
      describe: "connections of a gateway's idle MQTT devices at which an alert is raised",
    },
    levels: (limit) => threshold(limit),
    measure: { process: ({ stats }) => stats.gauges["idleConnections"] },
    say: (label, value) => `${label} holds ${value} connections of idle devices.`,
    over: (label) => `${label} holds fewer connections of idle devices again.`,
  },
  {
    name: "queue",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_QUEUE",
      default: 500,
      describe: "messages waiting for a consumer, or in a program, at which an alert is raised",
    },
    levels: (limit) => single(limit, "high", 0.9),
    measure: { process: ({ waiting }) => waiting, consumer: ({ lag }) => lag.pending },
    say: (label, value) => `${value} messages wait at ${label}.`,
    over: (label) => `Few messages wait at ${label} now.`,
  },
  {
    name: "pool-wait",
    setting: {
      variable: "VOXBUS_MONITOR_MAX_POOL_WAIT_MS",
      default: 500,
      describe: "ms that 5 % of the work for waiting people may wait in a pool without an alert",
    },
    levels: (limit) => threshold(limit),
    measure: { pool: ({ wait }) => wait },
    say: (label, value) => `5 % of the work for waiting people waits longer than ${Math.round(value)} ms in ${label}.`,
    over: (label) => `Work for waiting people is soon begun again in ${label}.`,
  },
  {
    name: "pool-shed",
    levels: () => single(0.05, "high", 0.5),
    measure: { pool: ({ shed }) => shed },
    say: (label, value) => `${percent(value)} of the work is shed by ${label}.`,
    over: (label) => `Little work is shed by ${label} now.`,
  },
  {
    name: "claims-paused",
    levels: () => switched("medium"),
    measure: { process: ({ stats }) => stats.gauges["claimsPaused"] },
    say: (label) => `${label} takes no new work until its memory and its loop delay are below their thresholds.`,
    over: (label) => `${label} takes new work again, or is gone.`,
  },
  {
    name: "refusing",
    levels: () => switched("high"),
    measure: { process: ({ stats }) => stats.gauges["refusing"] },
    say: (label) => `${label} refuses new connections until its memory and its loop delay are below their thresholds.`,
    over: (label) => `${label} accepts connections again, or is gone.`,
  },
  {
    name: "streams",
    levels: () => switched("high"),
    measure: { process: ({ stats }) => stats.gauges["storageFailed"] },
    say: (label) => `NATS stores nothing that ${label} sends, although it is connected.`,
    over: (label) => `NATS stores what ${label} sends again, or ${label} is gone.`,
  },
  {
    name: "model-tools",
    levels: () => switched("low"),
    measure: { process: ({ stats }) => stats.gauges["toolsRefused"] },
    say: (label) => `The model's server of ${label} refuses tools: devices can only talk.`,
    over: (label) => `The model's server of ${label} takes tools again, or ${label} is gone.`,
  },
  {
    name: "engine-unusable",
    levels: () => ({ ...switched("medium"), raiseAfter: 2 }),
    measure: { process: ({ stats }) => stats.gauges["enginesUnusable"] },
    say: (label, value) => `${label} cannot use ${value === 1 ? "one of its engines" : `${value} of its engines`}.`,
    over: (label) => `${label} can use its engines again.`,
  },
  {
    name: "memory-trend",
    levels: () => single(50 * megabyte, "low", 0.5),
    measure: { process: ({ rise }) => rise("memory") },
    say: (label, value) =>
      `The memory of ${label} grew by ${megabytes(value)} over the last 60 points, and goes on growing.`,
    over: (label) => `The memory of ${label} has stopped growing.`,
  },
  {
    name: "connections-trend",
    levels: () => single(10, "low", 0.5),
    measure: { process: ({ rise }) => rise("connections") },
    say: (label, value) =>
      `The connections of ${label} grew by ${Math.round(value)} over the last 60 points, and go on growing.`,
    over: (label) => `The connections of ${label} have stopped growing.`,
  },
  {
    name: "gateway-lost",
    levels: () => switched("high"),
    measure: { gateway: ({ lost }) => lost },
    say: (label) => `${label} is gone, and had not been drained: its devices are offline until they connect again.`,
    over: (label) => `${label} is back, or was given up.`,
  },
  {
    name: "zombie-rate",
    levels: () => single(0.05, "medium", 0.5),
    measure: {
      process: ({ stats: { gauges }, growth, share }) => {
        const zombies = growth(total("zombies"));
        const { connections } = gauges;
        return share(zombies, connections === undefined ? undefined : connections + (zombies ?? 0), 10);
      },
    },
    say: (label, value) => `${percent(value)} of the devices at ${label} fell silent without closing.`,
    over: (label) => `Few devices at ${label} fall silent without closing now.`,
  },
  {
    name: "drop-rate",
    levels: () => single(0.01, "medium", 0.5),
    measure: {
      process: ({ growth, share }) => {
        const drops = growth(faultyDrops);
        return share(drops, (growth(frames) ?? 0) + (drops ?? 0), 100);
      },
    },
    say: (label, value) => `${label} drops ${percent(value)} of all frames.`,
    over: (label) => `${label} drops few frames now.`,
  },
  {
    name: "redelivery-rate",
    levels: () => single(0.05, "medium", 0.5),
    measure: { process: ({ growth, share }) => share(growth(total("redeliveries")), growth(total("claims")), 10) },
    say: (label, value) => `${percent(value)} of the claims of ${label} are redeliveries.`,
    over: (label) => `Few claims of ${label} are redeliveries now.`,
  },
  {
    name: "first-sound-p95",
    setting: {
      variable: "VOXBUS_MONITOR_TARGET_P95_MS",
      default: 1500,
      describe: "ms to the first sound of an answer that 5 % of the turns may exceed without an alert",
    },
    levels: (limit) => threshold(limit),
    measure: { fleet: ({ firstSound }) => firstSound("p95") },
    say: (_, value) => `5 % of all answers take longer than ${Math.round(value)} ms until their first sound.`,
    over: soundsAgain,
  },
  {
    name: "first-sound-p99",
    setting: {
      variable: "VOXBUS_MONITOR_TARGET_P99_MS",
      default: 3000,
      describe: "ms to the first sound of an answer that 1 % of the turns may exceed without an alert",
    },
    levels: (limit) => threshold(limit),
    measure: { fleet: ({ firstSound }) => firstSound("p99") },
    say: (_, value) => `1 % of all answers take longer than ${Math.round(value)} ms until their first sound.`,
    over: soundsAgain,
  },
] as const satisfies readonly Rule[];

/** Every kind of alert. */
export const rules: readonly Rule[] = rows;

type Variable = Extract<(typeof rows)[number], { readonly setting: object }>["setting"]["variable"];

/** The limits that an operator set, by variable. */
export type RuleSettings = Readonly<Record<Variable, number>>;

/** The variables of the rules' limits. */
export const ruleVariables = Object.fromEntries(
  rules.flatMap(({ setting }) =>
    setting
      ? [[setting.variable, z.coerce.number().positive().default(setting.default).describe(setting.describe)]]
      : [],
  ),
) as Record<Variable, z.ZodDefault<z.ZodCoercedNumber>>;

/** The limits of a rule, by the operator's settings. */
export function limitsOf({ setting, levels }: Rule, settings: Readonly<Record<string, number>>): Limits {
  return levels(setting === undefined ? 0 : settings[setting.variable]!);
}

/** The value from which on each rule raises an alert, by the rule's name. */
export function listThresholds(settings: RuleSettings): Readonly<Record<string, number>> {
  return Object.fromEntries(rules.map((rule) => [rule.name, limitsOf(rule, settings).levels.at(-1)![0]]));
}
