import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { watchPresence, type PresenceView } from "@voxbus/presence";
import { connectTestBus } from "@voxbus/testing";
import { answerParent } from "./child.ts";
import { now } from "./numbers.ts";

// A program that watches presence: with the view of the bus, or with nats.js alone and a map of parsed values.
const url = process.argv[2] ?? "";
let read: (device: string) => string | undefined = () => undefined;
let view: PresenceView | undefined;

/** Watches with the view. Resolves with the ms until all are online. */
async function watchView({ count }: { readonly count: number }): Promise<number> {
  const bus = await connectTestBus(url, { name: "bench" });
  const began = performance.now();
  const opened = await watchPresence(bus);
  const ms = performance.now() - began;
  view = opened;
  read = (device) => opened.online(device)?.session;
  const found = countOnline();
  if (found < count) throw new Error(`the view shows ${found} of ${count} devices`);
  return ms;
}

/** Watches with nats.js. Resolves with the ms until all entries have come. */
async function watchBare({ count }: { readonly count: number }): Promise<number> {
  const nc = await connect({ servers: url });
  const kv = await new Kvm(nc).open("voxbus_presence");
  const entries = new Map<string, { readonly session: string }>();
  const began = performance.now();
  const watcher = await kv.watch({ ignoreDeletes: true });
  const all = new Promise<number>((resolve) => {
    void (async () => {
      for await (const entry of watcher) {
        if (!entry.key.startsWith("=")) entries.set(entry.key, entry.json<{ session: string }>());
        if (entries.size === count) resolve(performance.now() - began);
      }
    })();
  });
  read = (device) => entries.get(device)?.session;
  return all;
}

function countOnline(): number {
  let count = 0;
  for (const _ of view?.devices() ?? []) count += 1;
  return count;
}

/** Waits until a device has another session. Resolves with the time, ms of the machine's clock. */
async function awaitChange({ device, session }: { readonly device: string; readonly session: string }) {
  while (read(device) !== session) await new Promise((resolve) => setImmediate(resolve));
  return now();
}

answerParent({
  watchView,
  watchBare,
  awaitChange,
  collect: () => {
    globalThis.gc?.();
    globalThis.gc?.();
  },
});
