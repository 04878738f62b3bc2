import type { Bus } from "@voxbus/bus";
import { buckets, channels, Profile, stored, type Presence, type Reminder, type Say } from "@voxbus/protocol";
import { silentLog } from "@voxbus/testing";
import type { RingDeps, RingOutcome } from "./ring.ts";
import type { TestClock } from "./test-clock.ts";

/**
 * The manner in which the gateway of a device treats an announcement. `closes`: the session ends before. `shows`: the device is
 * idle, and its receipt never comes.
 */
export type GatewayManner = "plays" | "closes" | "is silent" | "shows";

/** Devices, with a gateway that plays announcements as it is told. */
export interface TestDevices {
  readonly says: readonly Say[];
  readonly outcomes: readonly RingOutcome[];
  readonly deps: RingDeps;
  connect(device: string, session: string, manner?: GatewayManner): void;
  leave(device: string): void;
  setLanguage(device: string, language: string): void;
  /** The texts that a device was told, each stored once. */
  told(device: string): readonly string[];
  remind(id: string, reminder: Omit<Reminder, "device">): Promise<void>;
  /** The reminders that are left of a device. */
  left(device: string): Promise<readonly Reminder[]>;
}

/** Puts devices on the bus. A device whose session ends is gone at once. */
export async function createTestDevices(bus: Bus, clock: TestClock): Promise<TestDevices> {
  const online = new Map<string, { readonly session: string; readonly manner: GatewayManner }>();
  const languages = new Map<string, string>();
  const says: Say[] = [];
  const told: [device: string, text: string][] = [];
  const outcomes: RingOutcome[] = [];
  const following = new Set<{ readonly session: string | undefined; readonly gone: () => void }>();
  const bucket = bus.bucket(buckets.reminders);
  bus.subscribe(stored(channels.sayOpen("*")), (say, { device }) => {
    says.push(say);
    const found = online.get(device);
    if (found?.session !== say.session) return;
    told.push([device, say.text]);
    if (found === undefined || found.manner === "is silent") return;
    if (found.manner === "closes") online.delete(device);
    const turn = { reply: say.reply, complete: found.manner === "plays", fenced: 0, dropped: 0, late: 0 };
    bus.publish(channels.event(device), { session: found.session, at: clock.now(), gateway: "g", turn });
  });
  await bus.flush();
  return {
    says,
    outcomes,
    deps: {
      bus,
      clock,
      log: silentLog,
      presence: { online: (device) => online.get(device) as Presence | undefined },
      profiles: { of: (device) => Profile.parse({ language: languages.get(device) }) },
      sessions: {
        follow({ device, session }, gone) {
          const one = { session, gone };
          if (online.get(device)?.session !== session) queueMicrotask(gone);
          following.add(one);
          return { close: () => void following.delete(one) };
        },
      },
      onEnd: (outcome) => outcomes.push(outcome),
    },
    connect: (device, session, manner = "plays") => void online.set(device, { session, manner }),
    leave(device) {
      const session = online.get(device)?.session;
      online.delete(device);
      for (const one of following) if (one.session === session) one.gone();
    },
    setLanguage: (device, language) => void languages.set(device, language),
    told: (device) => told.flatMap(([to, text]) => (to === device ? [text] : [])),
    async remind(id, reminder) {
      const [device = ""] = id.split(".");
      await bucket.put(id, { device, ...reminder });
    },
    async left(device) {
      const entries = await Promise.all((await bucket.ids(device)).map((id) => bucket.get(id)));
      return entries.flatMap((entry) => entry?.value ?? []);
    },
  };
}

/** Makes a bus whose process dies at its operation number `at`, before or after it was carried out. */
export function dieAt(
  bus: Bus,
  at: number,
  when: "before" | "after",
): { readonly bus: Bus; readonly died: Promise<void> } {
  const { promise: died, resolve: die } = deferred();
  let count = 0;
  let isDead = false;
  const forever = new Promise<never>(() => undefined);
  const wrap = <A extends readonly unknown[], T>(run: (...args: A) => Promise<T>) => {
    return async (...args: A): Promise<T> => {
      count += 1;
      const isLast = count === at;
      if (isDead || (isLast && when === "before")) {
        isDead = true;
        die();
        return forever;
      }
      const result = await run(...args);
      if (!isLast) return result;
      isDead = true;
      die();
      return forever;
    };
  };
  const mortal: Bus = {
    ...bus,
    store: wrap(bus.store.bind(bus)),
    bucket(row) {
      const bucket = bus.bucket(row);
      return {
        ...bucket,
        get: wrap(bucket.get),
        update: wrap(bucket.update),
        remove: wrap(bucket.remove),
      };
    },
  };
  return { bus: mortal, died };
}

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
