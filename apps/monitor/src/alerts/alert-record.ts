import type { Alert, AlertRecord } from "@voxbus/protocol";

/** The id of an alert's record. Both parts are names, so neither can widen it. */
export function alertId(name: string, target: string): string {
  return `${name}.${target}`;
}

/** The newest step. */
export function lastStep({ steps }: AlertRecord): Alert {
  return steps.at(-1)!;
}

/** When the alert of the newest step began, ms. */
export function raisedAt(record: AlertRecord): number {
  const { id } = lastStep(record);
  return record.steps.find((step) => step.id === id)?.at ?? 0;
}

/**
 * Adds a step. One that begins another alert keeps of the one before only the steps not yet told. `posting` is false
 * where nobody is to be posted to.
 */
export function addStep(record: AlertRecord | undefined, step: Alert, posting: boolean): AlertRecord {
  if (record === undefined) return { steps: [step], published: 0, posted: posting ? 0 : 1 };
  const told = Math.min(record.published, record.posted);
  const dropped = step.id === lastStep(record).id ? 0 : told;
  const steps = [...record.steps.slice(dropped), step];
  return { steps, published: record.published - dropped, posted: posting ? record.posted - dropped : steps.length };
}
