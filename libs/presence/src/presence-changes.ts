import type { Closer } from "@voxbus/bus";
import type { Presence } from "@voxbus/protocol";
import type { PresenceView } from "./presence.ts";

const everyMs = 1000;

/** Tells watchers which devices came online, changed, or went offline. Without a watcher it does nothing. */
interface PresenceChanges extends Closer, Pick<PresenceView, "watch"> {
  /** Compares a device with what its watchers know. */
  check(device: string): void;
  /** Compares all devices. */
  checkAll(): void;
}

/** Creates the changes of a view. `online` reads a device's presence, `devices` lists those that may be online. */
export function createPresenceChanges(
  online: (device: string) => Presence | undefined,
  devices: () => Iterable<string>,
): PresenceChanges {
  const watchers = new Set<Parameters<PresenceView["watch"]>[0]>();
  const known = new Map<string, Presence>();
  // A lease also expires by this process's clock, while NATS is away.
  let timer: NodeJS.Timeout | undefined;

  const check = (device: string): void => {
    if (watchers.size === 0) return;
    const presence = online(device);
    if (presence === known.get(device)) return;
    if (presence === undefined) known.delete(device);
    else known.set(device, presence);
    for (const changed of watchers) changed(device, presence);
  };
  const checkAll = (): void => {
    if (watchers.size === 0) return;
    for (const device of [...known.keys(), ...devices()]) check(device);
  };
  return {
    check,
    checkAll,
    watch(changed) {
      if (watchers.size > 0) for (const [device, presence] of known) changed(device, presence);
      // A watcher that is given twice is called twice.
      const watcher: typeof changed = (device, presence) => changed(device, presence);
      watchers.add(watcher);
      checkAll();
      timer ??= setInterval(checkAll, everyMs).unref();
      return {
        close() {
          watchers.delete(watcher);
          if (watchers.size > 0) return;
          clearInterval(timer);
          timer = undefined;
          known.clear();
        },
      };
    },
    close() {
      clearInterval(timer);
      watchers.clear();
      known.clear();
    },
  };
}
