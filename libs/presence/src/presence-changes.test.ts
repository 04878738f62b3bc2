import type { Bus } from "@voxbus/bus";
import { buckets, defaultProfile, type Presence } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createPresenceChanges } from "./presence-changes.ts";
import { watchPresence } from "./presence-view.ts";
import { watchProfiles } from "./profiles.ts";
import { describeSession, never, register } from "./test-registry.ts";

let server: NatsServer;
let bus: Bus;
beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectTestBus(server.url);
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test("presence: a watcher learns who is online, and each change, until it is closed", async () => {
  const gateway = await register(bus, "watched-1");
  await gateway.enter("before", describeSession("s1"), never);
  const view = await watchPresence(bus);
  const changes: unknown[] = [];
  const watch = view.watch((device, presence) => changes.push([device, presence?.session, presence?.state]));
  expect(changes).toEqual([["before", "s1", "active"]]);
  await gateway.enter("after", describeSession("s2"), never);
  await vi.waitFor(() => expect(changes.slice(1)).toEqual([["after", "s2", "active"]]));
  gateway.update("after", "s2", { state: "idle" });
  await vi.waitFor(() => expect(changes.slice(2)).toEqual([["after", "s2", "idle"]]));
  await gateway.leave("before");
  await vi.waitFor(() => expect(changes.slice(3)).toEqual([["before", undefined, undefined]]));
  const others: unknown[] = [];
  const other = view.watch((device) => others.push(device));
  expect(others).toEqual(["after"]);
  watch.close();
  // All devices of a gateway go with its lease.
  await gateway.close();
  await vi.waitFor(() => expect(others).toEqual(["after", "after"]));
  expect(changes).toHaveLength(4);
  other.close();
  view.close();
});

test("presence: a watcher learns that a lease expired while no message comes", () => {
  vi.useFakeTimers();
  let presence: Presence | undefined = { session: "s1" } as Presence;
  const changes = createPresenceChanges(
    () => presence,
    () => ["d1"],
  );
  const seen: unknown[] = [];
  const watch = changes.watch((_, now) => seen.push(now?.session));
  presence = undefined;
  vi.advanceTimersByTime(1000);
  expect(seen).toEqual(["s1", undefined]);
  watch.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test("profiles: a watcher learns of each change, also of the one for all", async () => {
  const profiles = await watchProfiles(bus, silentLog);
  const changed: unknown[] = [];
  const watch = profiles.watch((device) => changed.push([device, profiles.of("watched").language]));
  const bucket = bus.bucket(buckets.profiles);
  await bucket.put("watched", { language: "de" });
  await vi.waitFor(() => expect(changed).toEqual([["watched", "de"]]));
  await bucket.put(defaultProfile, { language: "fr" });
  await vi.waitFor(() => expect(changed.slice(1)).toEqual([[undefined, "de"]]));
  watch.close();
  profiles.close();
});
