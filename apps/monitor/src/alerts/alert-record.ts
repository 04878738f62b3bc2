import type { Alert, AlertRecord } from "@voxbus/protocol";

/** The id of the record of the alerts `name` of `target`. Both are names, so neither can widen the id. */
export function alertId(name: string, target: string): string {
  return `${name}.${target}`;
}

/** The newest step. */
export function lastStep({ steps }: AlertRecord): Alert {
  return steps.at(-1)!;
}

/** The time at which the alert of the newest step began, ms. */
export function raisedAt(record: AlertRecord): number {
  const { id } = lastStep(record);
  return record.steps.find((step) => step.id === id)?.at ?? 0;
}

/** True once every step was published and posted. */
export function isDelivered({ steps, published, posted }: AlertRecord): boolean {
  return Math.min(published, posted) === steps.length;
}

/**
 * Adds a step. The first step of a new alert drops the delivered steps of the alert before. `posting` is false without a
 * webhook.
 */
export function addStep(record: AlertRecord | undefined, step: Alert, posting: boolean): AlertRecord {
  if (record === undefined) return { steps: [step], published: 0, posted: posting ? 0 : 1 };
  const delivered = Math.min(record.published, record.posted);
  const dropped = step.id === lastStep(record).id ? 0 : delivered;
  const steps = [...record.steps.slice(dropped), step];
  return { steps, published: record.published - dropped, posted: posting ? record.posted - dropped : steps.length };
}
