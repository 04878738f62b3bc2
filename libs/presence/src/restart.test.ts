import type { Bus } from "@voxbus/bus";
import { buckets, channels } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer, loose } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchPresence } from "./presence-view.ts";
import { createRegistry } from "./registry.ts";

let server: NatsServer;
let bus: Bus;

const openListen = (seq: number): object => ({
  session: "s1",
  seq,
  at: 0,
  kind: "control",
  body: { type: "listen", mode: "auto", gateway: "g1" },
});

beforeEach(async () => {
  server = await startNatsServer();
  bus = await connectTestBus(server.url);
});
afterEach(async () => {
  await bus.close();
  await server.stop();
});

test("restart: after a wipe the streams are created again, and claims, watches and presence go on", async () => {
  const claimed: number[] = [];
  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "asr",
    slots: 10,
    work: async ({ message }) => void claimed.push(message.seq),
  });
  const registry = await createRegistry(bus, {
    id: "g1",
    epoch: ulid(),
    address: "127.0.0.1:0",
    load: () => ({ connections: 1, speaking: 0 }),
  });
  const view = await watchPresence(bus);
  const presence = { session: "s1", since: 0, remote: "", protocol: 1, features: {}, state: "active" } as const;
  await registry.enter("d1", presence, new AbortController().signal);
  await bus.store(loose(channels.inControlOpen("d1")), openListen(1), { id: "s1:1" });
  await vi.waitFor(() => expect(claimed).toEqual([1]));

  await server.restart({ wipe: true });
  await bus.store(loose(channels.inControlOpen("d1")), openListen(2), { id: "s1:2" });
  await vi.waitFor(() => expect(claimed).toEqual([1, 2]), { timeout: 5000 });
  await vi.waitFor(async () => expect(await bus.bucket(buckets.presence).get("d1")).toBeDefined(), { timeout: 5000 });
  await vi.waitFor(() => expect(view.online("d1")).toMatchObject({ session: "s1", term: 1 }), { timeout: 5000 });
  await claims.drain(0);
  view.close();
  await registry.close();
});
