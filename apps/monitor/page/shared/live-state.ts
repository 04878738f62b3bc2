import { signal } from "@preact/signals";
import type { DevicesChange, DeviceView, Hello, Numbers, Point } from "../../src/live/live.ts";
import { followEvents } from "./feed.ts";

const maxPoints = 600;

/** Whether the monitor's stream is connected. */
export const connected = signal(false);
/** What the monitor said first; undefined before that. */
export const hello = signal<Hello | undefined>(undefined);
/** Every device that is online. A new map at each change, at most twice a second. */
export const devices = signal<ReadonlyMap<string, DeviceView>>(new Map());
/** The newest numbers. */
export const numbers = signal<Numbers | undefined>(undefined);
/** The points of the charts, oldest first. */
export const points = signal<readonly Point[]>([]);

function change(known: ReadonlyMap<string, DeviceView>, { reset, put, gone }: DevicesChange) {
  const next = new Map(reset ? [] : known);
  for (const device of put) next.set(device.id, device);
  for (const id of gone) next.delete(id);
  return next;
}

/** Begins to follow the fleet, for as long as the page lives. */
export function followFleet(): void {
  followEvents(
    "/api/events",
    {
      hello: (data) => (hello.value = data),
      devices: (data) => (devices.value = change(devices.value, data)),
      history: (data) => (points.value = data),
      numbers: (data) => {
        numbers.value = data;
        points.value = [...points.value.slice(1 - maxPoints), data];
      },
    },
    (yes) => (connected.value = yes),
  );
}
