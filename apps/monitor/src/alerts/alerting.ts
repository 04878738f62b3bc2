import type { Meter } from "@opentelemetry/api";
import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { startAtZero, type Log } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { holdMonitorLease } from "../leader/leader-lease.ts";
import { createPresenceGc } from "../leader/presence-gc.ts";
import type { Measurements } from "../measurements/measurements.ts";
import { lostMs } from "../measurements/programs.ts";
import type { GatewayTarget } from "../measurements/targets.ts";
import { openAlerts, type Alerts } from "./alerts.ts";
import { createEvaluation } from "./evaluation.ts";
import { watchGateways } from "./gateway-watch.ts";
import type { Severity } from "./hysteresis.ts";
import { limitsOf, rules, type RuleSettings } from "./rules.ts";
import type { Webhooks } from "../webhooks/webhooks.ts";
import { createRunbook } from "../events/runbook.ts";

const gatewaysMs = 1000;
const cleanUpMs = 60_000;
const firstMeasurementMs = 6000;

/** The variables of alerting. */
export interface AlertingConfig extends RuleSettings {
  readonly VOXBUS_MONITOR_INTERVAL_MS: number;
  readonly VOXBUS_MONITOR_LEASE_MS: number;
  readonly VOXBUS_MONITOR_RUNBOOK_URL?: string | undefined;
}

/** Dependencies of alerting. */
export interface AlertingParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly measurements: Measurements;
  readonly webhooks: Pick<Webhooks, "wants" | "deliver">;
  readonly config: AlertingConfig;
  readonly log: Log;
  readonly meter: Meter;
  readonly signal: AbortSignal;
}

/** Measures the system again and again, and raises and resolves alerts. */
export interface Alerting {
  readonly alerts: Alerts;
  /** True while this monitor is the active one, which raises alerts and cleans up presence. The others stand by. */
  active(): boolean;
  close(): Promise<void>;
}

/** Starts alerting: every monitor measures, and the active one acts. Resolves once the alerts that stand are read. */
export async function createAlerting(parts: AlertingParts): Promise<Alerting> {
  const { bus, presence, measurements, webhooks, config, log, meter, signal } = parts;
  const gateways = watchGateways({ bus, presence, log });
  const presenceGc = createPresenceGc({ bus, presence, log });
  const began = performance.now();
  let takenOver: Promise<void> | undefined;

  const alerts = await openAlerts({
    bus,
    active: () => lease.active(),
    webhooks,
    log,
    runbook: createRunbook(config.VOXBUS_MONITOR_RUNBOOK_URL),
    raised: countAlerts(meter, config),
  });
  const evaluation = createEvaluation(alerts, config);
  const attempt = createAttempt(log, signal);

  const takeOver = async () => {
    evaluation.restore();
    await attempt("takeover of gateways failed", () => gateways.inherit());
    await attempt("alert delivery failed", () => alerts.deliver());
  };
  const lease = holdMonitorLease({
    bus,
    instance: ulid(),
    leaseMs: config.VOXBUS_MONITOR_LEASE_MS,
    log,
    changed: (active) => {
      takenOver = active ? takeOver() : undefined;
    },
  });
  /** True if this monitor may act and has taken over from the one before. */
  const isReady = async () => {
    await takenOver;
    return lease.active() && bus.connected();
  };

  const measure = async () => {
    if (!bus.connected()) return;
    const targets = await measurements.measure(signal);
    if (!(await isReady())) return;
    await evaluation.evaluate(targets);
    if (performance.now() - began >= lostMs) await evaluation.resolveGone(targets);
    await alerts.deliver();
  };
  const checkGateways = async () => {
    if (!(await isReady())) return;
    const lost = await gateways.check(measurements.programs.takeLeaving());
    const forgotten = alerts
      .list()
      .filter(({ name, target, resolved }) => name === "gateway-lost" && !resolved && !lost.has(target));
    const all = [...lost, ...forgotten.map(({ target }) => [target, 0] as const)];
    await evaluation.evaluate(
      all.map(([id, lost]): GatewayTarget => ({ kind: "gateway", id, label: `The gateway ${id}`, lost })),
    );
  };
  const cleanUp = async () => {
    if (!(await isReady())) return;
    await presenceGc.collect();
    await alerts.prune();
  };

  const intervalMs = config.VOXBUS_MONITOR_INTERVAL_MS;
  const stops = [
    repeat(() => attempt("measurement failed", measure), intervalMs, Math.min(intervalMs, firstMeasurementMs)),
    repeat(() => attempt("check of gateways failed", checkGateways), gatewaysMs),
    repeat(() => attempt("clean-up failed", cleanUp), cleanUpMs),
  ];

  return {
    alerts,
    active: lease.active,
    async close() {
      for (const stop of stops) stop();
      await lease.release();
      alerts.close();
    },
  };
}

/** Gives the function that counts an alert when it is raised or gets worse. */
function countAlerts(meter: Meter, settings: RuleSettings): (severity: Severity, name: string) => void {
  const counter = meter.createCounter("voxbus_monitor_alerts", { description: "Alerts raised or worsened" });
  for (const rule of rules) {
    const severity = limitsOf(rule, settings).levels.map(([, severity]) => severity);
    startAtZero(counter, { severity, name: [rule.name] });
  }
  return (severity, name) => counter.add(1, { severity, name });
}

/** Logs the failures of a piece of work, unless the program is stopping. */
function createAttempt(log: Log, signal: AbortSignal) {
  return async (failure: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, failure);
    }
  };
}

/** Runs `work` every `everyMs`, each run after the one before has ended, until the returned function is called. */
function repeat(work: () => Promise<void>, everyMs: number, firstMs = everyMs): () => void {
  let stopped = false;
  const run = async () => {
    await work();
    if (!stopped) timer = setTimeout(() => void run(), everyMs);
  };
  let timer = setTimeout(() => void run(), firstMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
