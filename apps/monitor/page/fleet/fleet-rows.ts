import type { DeviceView, KnownView } from "../../src/live/live.ts";
import { stateOf, type FleetRow } from "../shared/state-of.ts";

/** The order of the states in the table. */
const rank = { active: 0, idle: 1, suspicious: 2, closed: 3, offline: 4, disabled: 5 };

/** Joins the devices that are known with those that are online. Rows that did not change stay the same objects. */
export function createRowJoin(): (
  known: ReadonlyMap<string, KnownView>,
  online: ReadonlyMap<string, DeviceView>,
) => readonly FleetRow[] {
  let rows = new Map<string, FleetRow>();
  return (known, online) => {
    const next = new Map<string, FleetRow>();
    for (const id of new Set([...known.keys(), ...online.keys()])) {
      const before = rows.get(id);
      const row = { id, known: known.get(id), online: online.get(id) };
      next.set(id, before && before.known === row.known && before.online === row.online ? before : row);
    }
    rows = next;
    return [...next.values()];
  };
}

/** Tells whether a row belongs to a choice of states: one of them, `online`, or any for an empty one. */
export function hasState(row: FleetRow, state: string): boolean {
  if (state === "") return true;
  if (state === "online") return row.online !== undefined;
  if (state === "disabled") return row.known?.allowed === false;
  return stateOf(row) === state;
}

/** The place of a row when the table is sorted by state. */
export function rankOf(row: FleetRow): number {
  return rank[stateOf(row)];
}

/** Lists the groups of a device. */
export function groupsIn({ known }: FleetRow): readonly string[] {
  return [known?.group, ...(known?.groups ?? [])].filter((group) => group !== undefined);
}
