/** The result of one check. */
export interface Finding {
  /** The name of the check, such as `disk`. */
  readonly check: string;
  /** `skipped`: it could not be checked, because another check failed or the system does not tell. */
  readonly state: "ok" | "warning" | "failed" | "skipped";
  /** The result in a sentence. */
  readonly found: string;
  /** How to fix it. */
  readonly fix?: string;
  /** The measured values, for programs. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/** Makes the findings of one check. */
export interface Judge {
  ok(found: string, values?: Finding["values"]): Finding;
  warning(found: string, fix: string, values?: Finding["values"]): Finding;
  failed(found: string, fix: string, values?: Finding["values"]): Finding;
  skipped(found: string): Finding;
}

/** Creates the judge of a check. */
export function judge(check: string): Judge {
  const make = (state: Finding["state"]) => (found: string, fix: string, values?: Finding["values"]) => ({
    check,
    state,
    found,
    fix,
    ...(values && { values }),
  });
  return {
    ok: (found, values) => ({ check, state: "ok", found, ...(values && { values }) }),
    warning: make("warning"),
    failed: make("failed"),
    skipped: (found) => ({ check, state: "skipped", found }),
  };
}

const megabyte = 1024 ** 2;

/** Writes a number of bytes for people. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / megabyte)} MB`;
}
