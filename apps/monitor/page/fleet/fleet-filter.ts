import type { FleetRow } from "../shared/state-of.ts";
import { groupsIn, hasState, rankOf } from "./fleet-rows.ts";

/** Columns by which the table can be sorted. */
export type Column = "id" | "state" | "group" | "gateway" | "seen" | "firmware" | "rtt" | "last" | "thought" | "sound";

/** The choice and the order of the devices that are shown. */
export interface Filter {
  readonly text: string;
  /** Empty for any state. */
  readonly state: string;
  /** Empty for any group. */
  readonly group: string;
  /** Empty for any gateway. */
  readonly gateway: string;
  readonly sort: Column;
  readonly descending: boolean;
}

const texts = new WeakMap<FleetRow, string>();

function textOf(row: FleetRow): string {
  let text = texts.get(row);
  if (text === undefined) {
    const { id, known, online } = row;
    text = [id, known?.name, groupsIn(row), known?.firmware, known?.board, online?.remote, online?.gateway]
      .join(" ")
      .toLowerCase();
    texts.set(row, text);
  }
  return text;
}

/** Puts devices that are online before all others, the newest session first, then those that were here last. */
function seenOf({ known, online }: FleetRow): number | undefined {
  if (online) return -1e15 - online.since;
  return known?.lastSeen === undefined ? undefined : -known.lastSeen;
}

const keys: Readonly<Record<Column, (row: FleetRow) => string | number | undefined>> = {
  // Names come before ids.
  id: ({ id, known }) => (known?.name === undefined ? `1${id}` : `0${known.name.toLowerCase()}`),
  state: rankOf,
  group: ({ known }) => known?.group,
  gateway: ({ online }) => online?.gateway,
  seen: seenOf,
  firmware: ({ known }) => known?.firmware,
  rtt: ({ online }) => online?.rtt,
  last: ({ online }) => online?.last?.at,
  thought: ({ online }) => online?.last?.thought,
  sound: ({ online }) => online?.last?.sound,
};

/** Returns the devices that match, in order. Each word of the text must occur. Devices without a value come last. */
export function filterDevices(devices: Iterable<FleetRow>, filter: Filter): readonly FleetRow[] {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const { state, group, gateway } = filter;
  const key = keys[filter.sort];
  const found: { readonly device: FleetRow; readonly by: string | number | undefined }[] = [];
  for (const device of devices) {
    if (!hasState(device, state)) continue;
    if (group && !groupsIn(device).includes(group)) continue;
    if (gateway && device.online?.gateway !== gateway) continue;
    const text = textOf(device);
    if (wanted.every((word) => text.includes(word))) found.push({ device, by: key(device) });
  }
  const sign = filter.descending ? -1 : 1;
  found.sort((a, b) => {
    if (a.by === b.by) return a.device.id < b.device.id ? -1 : 1;
    if (a.by === undefined) return 1;
    if (b.by === undefined) return -1;
    return a.by < b.by ? -sign : sign;
  });
  return found.map(({ device }) => device);
}
