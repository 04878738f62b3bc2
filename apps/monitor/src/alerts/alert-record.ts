import { Alert } from "@voxbus/protocol";
import { z } from "zod";

/** What is told once of an alert: that it begins, got worse, or is over. */
export const AlertStep = Alert.omit({ v: true });
export type AlertStep = z.infer<typeof AlertStep>;

/** KV `monitor`, `alert.<name>.<subject>`: the alert raised last, and how many of the steps were published and posted. */
export const AlertRecord = z.object({
  steps: z.array(AlertStep).min(1),
  published: z.number().int().min(0),
  posted: z.number().int().min(0),
});
export type AlertRecord = z.infer<typeof AlertRecord>;

const keyPrefix = "alert.";

/** The key of what is known of `name` at `subject`; both are names, so neither can widen it. */
export function alertKey(name: string, subject: string): string {
  return `${keyPrefix}${name}.${subject}`;
}

/** True for the key of an alert. */
export function isAlertKey(key: string): boolean {
  return key.startsWith(keyPrefix);
}

/** The newest step. */
export function lastStep({ steps }: AlertRecord): AlertStep {
  return steps.at(-1)!;
}

/** When the alert of the newest step began, ms. */
export function raisedAt(record: AlertRecord): number {
  const { id } = lastStep(record);
  return record.steps.find((step) => step.id === id)?.at ?? 0;
}

/**
 * Adds a step. One that begins another alert leaves of the one before only what has yet to be told. `posting` is false
 * where nobody is to be posted to.
 */
export function addStep(record: AlertRecord | undefined, step: AlertStep, posting: boolean): AlertRecord {
  if (record === undefined) return { steps: [step], published: 0, posted: posting ? 0 : 1 };
  const told = Math.min(record.published, record.posted);
  const dropped = step.id === lastStep(record).id ? 0 : told;
  const steps = [...record.steps.slice(dropped), step];
  return { steps, published: record.published - dropped, posted: posting ? record.posted - dropped : steps.length };
}
