import type { Closer } from "@voxbus/subscriber";
import type { KnownDevice, KnownDevices } from "../registry/known-devices.ts";
import type { KnownView, SendEvent } from "./live.ts";

const devicesOfEvent = 500;

/** Feeds the known devices to streams, as the page shows them. */
export interface KnownFeed extends Closer {
  /** Sends every known device. */
  sendAll(send: SendEvent): void;
  /** Sends the changes since the last call. */
  sendChanges(send: SendEvent): void;
}

/** Creates the feed. */
export function createKnownFeed(known: KnownDevices): KnownFeed {
  const changed = new Set<string>();
  let isStale = false;
  const watching = known.watch((id) => {
    if (id === undefined) isStale = true;
    else changed.add(id);
  });

  const sendAll = (send: SendEvent) => {
    const all = known.list().filter(isKept).map(toView);
    for (let from = 0; from === 0 || from < all.length; from += devicesOfEvent) {
      send("known", { reset: from === 0, put: all.slice(from, from + devicesOfEvent), gone: [] });
    }
  };
  return {
    sendAll,
    sendChanges(send) {
      const ids = [...changed];
      changed.clear();
      if (isStale) sendAll(send);
      else {
        for (let from = 0; from < ids.length; from += devicesOfEvent) {
          const some = ids.slice(from, from + devicesOfEvent);
          const found = some.flatMap((id) => known.get(id) ?? []).filter(isKept);
          const kept = new Set(found.map(({ id }) => id));
          send("known", { put: found.map(toView), gone: some.filter((id) => !kept.has(id)) });
        }
      }
      isStale = false;
    },
    close: () => watching.close(),
  };
}

/** True for a device that is known also when it is not online. The changes of others are not followed here. */
function isKept({ registered, totalOnline }: KnownDevice): boolean {
  return registered || totalOnline !== undefined;
}

function toView(device: KnownDevice): KnownView {
  const { state: _state, gateway: _gateway, since: _since, totalOnline: _total, ...view } = device;
  return view;
}
