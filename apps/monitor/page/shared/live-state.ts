import { signal } from "@preact/signals";
import type { DevicesChange, DeviceView, Hello, Numbers, Point } from "../../src/live/live.ts";
import { followEvents } from "./event-stream.ts";

const maxPoints = 600;

/** True while the monitor's event stream is connected. */
export const connected = signal(false);
/** The first event of the stream; undefined before it. */
export const hello = signal<Hello | undefined>(undefined);
/** Devices that are online, by id. It is replaced by a new map at each change, at most twice per second. */
export const devices = signal<ReadonlyMap<string, DeviceView>>(new Map());
/** The newest measurements. */
export const numbers = signal<Numbers | undefined>(undefined);
/** The points of the charts, oldest first. */
export const points = signal<readonly Point[]>([]);

function change(known: ReadonlyMap<string, DeviceView>, { reset, put, gone }: DevicesChange) {
  const next = new Map(reset ? [] : known);
  for (const device of put) next.set(device.id, device);
  for (const id of gone) next.delete(id);
  return next;
}

/** Starts to follow the fleet. It goes on for as long as the page lives. */
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
    (isConnected) => (connected.value = isConnected),
  );
}
