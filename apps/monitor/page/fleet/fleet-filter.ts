import type { DeviceView } from "../../src/live/live.ts";

/** Columns by which the table can be sorted. */
export type Column = "id" | "state" | "gateway" | "since" | "rtt" | "last" | "thought" | "sound";

/** The choice and the order of the devices that are shown. */
export interface Filter {
  readonly text: string;
  /** Empty for any state. */
  readonly state: string;
  /** Empty for any gateway. */
  readonly gateway: string;
  readonly sort: Column;
  readonly descending: boolean;
}

const texts = new WeakMap<DeviceView, string>();

function textOf(device: DeviceView): string {
  let text = texts.get(device);
  if (text === undefined) {
    text = `${device.id} ${device.remote} ${device.gateway}`.toLowerCase();
    texts.set(device, text);
  }
  return text;
}

const keys: Readonly<Record<Column, (device: DeviceView) => string | number | undefined>> = {
  id: ({ id }) => id,
  state: ({ state }) => state,
  gateway: ({ gateway }) => gateway,
  since: ({ since }) => -since,
  rtt: ({ rtt }) => rtt,
  last: ({ last }) => last?.at,
  thought: ({ last }) => last?.thought,
  sound: ({ last }) => last?.sound,
};

/** Returns the devices that match, in order. Each word of the text must occur. Devices without a value come last. */
export function filterDevices(devices: Iterable<DeviceView>, filter: Filter): readonly DeviceView[] {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const { state, gateway } = filter;
  const key = keys[filter.sort];
  const found: { readonly device: DeviceView; readonly by: string | number | undefined }[] = [];
  for (const device of devices) {
    if (state && device.state !== state) continue;
    if (gateway && device.gateway !== gateway) continue;
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
