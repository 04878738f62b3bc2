import { isDeepStrictEqual } from "node:util";

/** The key of the metadata that marks what voxbus created. Its value is the limits that voxbus set, as JSON. */
const markKey = "voxbus";

/** Settings that an operator may change. All others are what the programs rely on. */
const limits: ReadonlySet<string> = new Set([
  "max_age",
  "max_bytes",
  "max_msgs_per_subject",
  "duplicate_window",
  "num_replicas",
  "storage",
  "max_ack_pending",
  "max_waiting",
]);

/** A setting as the JSON of NATS has it. */
type Settings = Readonly<Record<string, unknown>>;

/** A stream or consumer as NATS has it. */
interface Existing {
  readonly metadata?: Record<string, string> | undefined;
}

/** How a stream or consumer differs from its definition. */
export interface Difference {
  /** The settings to change, with the new mark. Empty if nothing is to be changed. */
  readonly changes: Settings;
  /** The limits that an operator changed, which stay. */
  readonly kept: Settings;
}

/** Adds the mark to a new stream or consumer. `chosen` names the limits that a variable sets. */
export function markOwn<T extends object>(wanted: T, chosen: readonly string[] = []): T & Required<Existing> {
  const set = Object.fromEntries(Object.entries(wanted).filter(([key]) => limits.has(key)));
  return { ...wanted, metadata: { [markKey]: JSON.stringify({ ...set, chosen }) } };
}

/** Changes limits of a stream of ours, and notes them in its mark, as if voxbus had created it with them. */
export function remark<T extends Existing>(current: T, changes: Settings): T {
  if (current.metadata?.[markKey] === undefined) return { ...current, ...changes };
  const { set, chosen } = readMark(current);
  const mark = JSON.stringify({ ...set, ...changes, chosen });
  return { ...current, ...changes, metadata: { ...current.metadata, [markKey]: mark } };
}

/** True when voxbus created a stream or consumer, or an operator marked it as its own. */
export function isOwn({ metadata }: Existing): boolean {
  return metadata?.[markKey] !== undefined;
}

/**
 * Compares a stream or consumer of ours with its definition. A limit that is not as voxbus set it was changed by an
 * operator, and stays. So does one that a variable of another program set, unless a variable sets it here.
 */
export function compareOwn(current: Existing, wanted: object, chosen: readonly string[] = []): Difference {
  const mark = readMark(current);
  const changes: Record<string, unknown> = {};
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const now = (current as Settings)[key];
    if (isDeepStrictEqual(now, value)) continue;
    if (!limits.has(key)) changes[key] = value;
    else if (now !== mark.set[key]) kept[key] = now;
    else if (chosen.includes(key) || !mark.chosen.includes(key)) changes[key] = value;
  }
  if (Object.keys(changes).length === 0) return { changes, kept };
  const changed = Object.entries(changes).filter(([key]) => limits.has(key));
  const set = { ...mark.set, ...Object.fromEntries(changed), chosen: [...new Set([...mark.chosen, ...chosen])] };
  return { changes: { ...changes, metadata: { ...current.metadata, [markKey]: JSON.stringify(set) } }, kept };
}

function readMark({ metadata }: Existing): { readonly set: Settings; readonly chosen: readonly unknown[] } {
  let mark: unknown;
  try {
    mark = JSON.parse(metadata?.[markKey] ?? "");
  } catch {
    // An operator wrote it by hand. Then every limit is the operator's.
  }
  const { chosen, ...set } = typeof mark === "object" && mark !== null ? (mark as Settings) : {};
  return { set, chosen: Array.isArray(chosen) ? (chosen as readonly unknown[]) : [] };
}
