/** Gives the link to an alert's section of the runbook. */
export type RunbookLink = (alert: string) => string;

/** The runbook's place in the repository. */
const usualRunbook = "docs/runbook.md";

/** Creates the links. `address` is that of an operator's copy of the runbook; without it they are paths in the repository. */
export function createRunbook(address = usualRunbook): RunbookLink {
  return (alert) => `${address}#${alert}`;
}
