import { signal } from "@preact/signals";
import type { DeviceView, Hello, KnownView, Numbers, Point, WaitingView } from "../../src/live/live.ts";
import { followEvents } from "./event-stream.ts";

const maxPoints = 600;

/** True while the monitor's event stream is connected. */
export const connected = signal(false);
/** The first event of the stream; undefined before it. */
export const hello = signal<Hello | undefined>(undefined);
/** Devices that are online, by id. It is replaced by a new map at each change, at most twice per second. */
export const devices = signal<ReadonlyMap<string, DeviceView>>(new Map());
/** Every device that is registered or was seen, by id. It is replaced as `devices` is. */
export const known = signal<ReadonlyMap<string, KnownView>>(new Map());
/** The devices that wait for an operator to type their code, the newest first. */
export const waiting = signal<readonly WaitingView[]>([]);
/** The newest measurements. */
export const numbers = signal<Numbers | undefined>(undefined);
/** The points of the charts, oldest first. */
export const points = signal<readonly Point[]>([]);

interface Change<V> {
  readonly reset?: boolean;
  readonly put: readonly V[];
  readonly gone: readonly string[];
}

function change<V extends { readonly id: string }>(before: ReadonlyMap<string, V>, { reset, put, gone }: Change<V>) {
  const next = new Map(reset ? [] : before);
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
      known: (data) => (known.value = change(known.value, data)),
      waiting: (data) => (waiting.value = data),
      history: (data) => (points.value = data),
      numbers: (data) => {
        numbers.value = data;
        points.value = [...points.value.slice(1 - maxPoints), data];
      },
    },
    (isConnected) => (connected.value = isConnected),
  );
}
