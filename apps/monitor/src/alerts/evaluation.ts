import type { Target } from "../measurements/targets.ts";
import type { Alerts } from "./alerts.ts";
import { calm, follow, type Track } from "./hysteresis.ts";
import { limitsOf, rules, type Rule, type RuleSettings } from "./rules.ts";

/** Evaluates the rules against targets, and raises and resolves their alerts. */
export interface Evaluation {
  /** Continues from the alerts that stand, which may be another monitor's. */
  restore(): void;
  /** Evaluates every rule that measures one of `targets`. Throws BusAwayError. */
  evaluate(targets: readonly Target[]): Promise<void>;
  /** Resolves the alerts about targets that are no longer measured. Throws BusAwayError. */
  resolveGone(targets: readonly Target[]): Promise<void>;
}

/** Creates the evaluation of all rules. */
export function createEvaluation(alerts: Alerts, settings: RuleSettings): Evaluation {
  const tracks = new Map<string, Track>();

  const evaluateOne = async (rule: Rule, { id: target, label }: Target, value: number | undefined) => {
    const { name } = rule;
    const key = keyOf(name, target);
    const { track, transition } = follow(limitsOf(rule, settings), tracks.get(key) ?? calm, value);
    // The track changes only after the alert is stored, so a failure is tried again at the next measurement.
    if (transition !== undefined) {
      const message = transition.type === "resolve" ? rule.over(label) : rule.say(label, value ?? 0);
      await alerts.apply(transition, { name, target, message });
    }
    if (track.bad === 0 && track.good === 0 && track.raised === undefined) tracks.delete(key);
    else tracks.set(key, track);
  };

  return {
    restore() {
      tracks.clear();
      for (const { name, target, severity, resolved } of alerts.list()) {
        if (!resolved) tracks.set(keyOf(name, target), { ...calm, raised: severity });
      }
    },
    async evaluate(targets) {
      for (const target of targets) {
        for (const rule of rules) {
          const measure = measureOf(rule, target);
          if (measure !== undefined) await evaluateOne(rule, target, measure(target));
        }
      }
    },
    async resolveGone(targets) {
      const measured = new Set(
        targets.flatMap((target) =>
          rules.flatMap((rule) => (measureOf(rule, target) ? [keyOf(rule.name, target.id)] : [])),
        ),
      );
      for (const { name, target, resolved } of alerts.list()) {
        const key = keyOf(name, target);
        const ofGateways = rules.find((rule) => rule.name === name)?.measure.gateway !== undefined;
        if (resolved || ofGateways || measured.has(key)) continue;
        await alerts.apply({ type: "resolve" }, { name, target, message: `${target} is gone.` });
        tracks.delete(key);
      }
    },
  };
}

function keyOf(name: string, target: string): string {
  return `${name} ${target}`;
}

function measureOf(rule: Rule, { kind }: Target): ((target: Target) => number | undefined) | undefined {
  return rule.measure[kind] as ((target: Target) => number | undefined) | undefined;
}
