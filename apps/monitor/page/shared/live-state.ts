import type { DevicesChange, DeviceView, Hello, Numbers, Point } from "../../src/live/live.ts";
import { followEvents } from "./feed.ts";
import { createStore } from "./store.ts";

const maxPoints = 600;

/** Whether the monitor's stream is connected. */
export const connected = createStore(false);
/** What the monitor said first; undefined before that. */
export const hello = createStore<Hello | undefined>(undefined);
/** Every device that is online. A new map at each change, at most twice a second. */
export const devices = createStore<ReadonlyMap<string, DeviceView>>(new Map());
/** The newest numbers. */
export const numbers = createStore<Numbers | undefined>(undefined);
/** The points of the charts, oldest first. */
export const points = createStore<readonly Point[]>([]);

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
      hello: hello.set,
      devices: (data) => devices.update((known) => change(known, data)),
      history: points.set,
      numbers: (data) => {
        numbers.set(data);
        points.update((known) => [...known.slice(1 - maxPoints), data]);
      },
    },
    connected.set,
  );
}
