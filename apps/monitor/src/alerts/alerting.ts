import type { Bus, ConsumerLag } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { Meter } from "@opentelemetry/api";
import type { Log } from "@voxbus/service";
import { ulid } from "ulid";
import { openAlertBook, type AlertBook } from "./alerts.ts";
import { watchGateways } from "./gateway-watch.ts";
import { calm, follow, type Track } from "./hysteresis.ts";
import { holdMonitorLease } from "../leader/leader-lease.ts";
import { collectPrograms, lostMs, type Programs } from "../measurements/programs.ts";
import { createPurge } from "../leader/presence-gc.ts";
import { createReadings, type Reading } from "../measurements/measurements.ts";
import { createRules, type Rule, type RuleName, type RuleSettings } from "./rules.ts";
import { createHistory, keptPoints, type History } from "../measurements/series.ts";
import type { Turns } from "../turns/turns.ts";
import { createWebhook } from "./webhook.ts";

const gatewaysMs = 1000;
const purgeMs = 60_000;
const firstLookMs = 6000;
const settledMs = 5 * 60_000;

/** What watches over the system: numbers of all programs, their history, and alerts. */
export interface Oversight {
  readonly programs: Programs;
  readonly history: History;
  readonly alerts: AlertBook;
  /** How far consumers were behind at the last look. */
  lags(): readonly ConsumerLag[];
  /** True while this monitor is the active one, which raises alerts and purges; the others stand by. */
  active(): boolean;
  close(): Promise<void>;
}

/** Starts to watch: all monitors measure, the active one acts. Resolves when the alerts that stand are read. */
export async function createOversight(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly turns: Turns;
  readonly log: Log;
  readonly meter: Meter;
  readonly signal: AbortSignal;
  readonly intervalMs: number;
  readonly leaseMs: number;
  readonly webhook: string | undefined;
  readonly limits: RuleSettings;
}): Promise<Oversight> {
  const { bus, presence, turns, log, meter, intervalMs } = parts;
  const rules: Readonly<Record<RuleName, Rule>> = createRules(parts.limits);
  const programs = collectPrograms(bus);
  const history = createHistory({ forgetMs: keptPoints * intervalMs });
  const readings = createReadings();
  const gateways = watchGateways({ bus, presence, log });
  const purge = createPurge({ bus, presence, log });
  const tracks = new Map<string, Track>();
  const began = performance.now();
  let lags: readonly ConsumerLag[] = [];
  let activated: Promise<void> | undefined;

  const raisedAlerts = meter.createCounter("voxbus_monitor_alerts", { description: "Alerts raised or worsened" });
  const posts = meter.createCounter("voxbus_monitor_webhook_posts", { description: "Alerts posted, by outcome" });
  const webhook =
    parts.webhook === undefined
      ? undefined
      : createWebhook({
          url: parts.webhook,
          log,
          signal: parts.signal,
          posted: (outcome) => posts.add(1, { outcome }),
        });
  const alerts = await openAlertBook({
    bus,
    active: () => lease.active(),
    webhook,
    log,
    raised: (severity, name) => raisedAlerts.add(1, { severity, name }),
  });

  const lease = holdMonitorLease({
    bus,
    instance: ulid(),
    leaseMs: parts.leaseMs,
    log,
    changed: (active) => {
      activated = active ? takeOver() : undefined;
    },
  });

  /** Goes on where the monitor before stopped. */
  async function takeOver(): Promise<void> {
    tracks.clear();
    for (const { name, target, severity, resolved } of alerts.list()) {
      if (!resolved) tracks.set(`${name} ${target}`, { ...calm, raised: severity });
    }
    await attempt("gateways could not be taken over", () => gateways.inherit());
    await attempt("alerts could not be told", () => alerts.settle());
  }

  async function attempt(failure: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!parts.signal.aborted) log.warn({ err: error }, failure);
    }
  }

  const judgeOne = async ({ rule: name, subject, what, value }: Reading) => {
    const rule = rules[name];
    const key = `${name} ${subject}`;
    const before = tracks.get(key) ?? calm;
    const { track, move } = follow(rule, before, value);
    // Not before it is in the bucket: what failed is tried again at the next look.
    if (move !== undefined) {
      const sentence = rule.say(what, value ?? 0);
      const over = rule.over?.(what) ?? `Over: ${sentence}`;
      await alerts.take(move, { name, target: subject, message: move.type === "resolve" ? over : sentence });
    }
    if (track.bad === 0 && track.good === 0 && track.raised === undefined) tracks.delete(key);
    else tracks.set(key, track);
  };

  /** Alerts whose subject is no longer there to be measured are over. */
  const endOrphans = async (judged: readonly Reading[]) => {
    if (performance.now() - began < lostMs) return;
    const measured = new Set(judged.map(({ rule, subject }) => `${rule} ${subject}`));
    for (const { name, target, resolved } of alerts.list()) {
      const key = `${name} ${target}`;
      if (resolved || name === "gateway-lost" || measured.has(key)) continue;
      await alerts.take({ type: "resolve" }, { name, target, message: `Over: ${target} is gone.` });
      tracks.delete(key);
    }
  };

  /** True when this monitor may act, and what the one before knew was taken over. */
  const isReady = async () => {
    await activated;
    return lease.active() && bus.connected();
  };

  const look = async () => {
    if (!bus.connected()) return;
    lags = await bus.lags(parts.signal);
    const now = Date.now();
    const seen = {
      programs: programs.take(),
      lags,
      latencies: turns.latencies(now),
      settled: performance.now() - began > settledMs,
      online: [...presence.devices()].length,
    };
    history.record(now, readings.sample(seen));
    if (!(await isReady())) return;
    const judged = readings.read(seen, history);
    for (const reading of judged) await judgeOne(reading);
    await endOrphans(judged);
    await alerts.settle();
  };

  const lookAtGateways = async () => {
    if (!(await isReady())) return;
    const lost = await gateways.look(programs.takeLeaving());
    for (const [id, value] of lost) {
      await judgeOne({ rule: "gateway-lost", subject: id, what: `The gateway ${id}`, value });
    }
    for (const { name, target, resolved } of alerts.list()) {
      if (name !== "gateway-lost" || resolved || lost.has(target)) continue;
      await judgeOne({ rule: "gateway-lost", subject: target, what: `The gateway ${target}`, value: 0 });
    }
  };

  const tidy = async () => {
    if (!(await isReady())) return;
    await purge();
    await alerts.tidy();
  };

  /** Does `work` again and again, one after the other. */
  const repeat = (everyMs: number, firstMs: number, failure: string, work: () => Promise<void>) => {
    let timer: NodeJS.Timeout;
    const run = async () => {
      await attempt(failure, work);
      if (!parts.signal.aborted) timer = setTimeout(() => void run(), everyMs);
    };
    timer = setTimeout(() => void run(), firstMs);
    return () => clearTimeout(timer);
  };
  const ends = [
    repeat(intervalMs, Math.min(intervalMs, firstLookMs), "the system could not be measured", look),
    repeat(gatewaysMs, gatewaysMs, "the gateways could not be looked at", lookAtGateways),
    repeat(purgeMs, purgeMs, "presence could not be purged", tidy),
  ];

  return {
    programs,
    history,
    alerts,
    lags: () => lags,
    active: lease.active,
    async close() {
      for (const end of ends) end();
      await lease.release();
      alerts.close();
      programs.close();
    },
  };
}
