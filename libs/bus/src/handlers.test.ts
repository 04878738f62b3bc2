import { connect, type NatsConnection } from "@nats-io/transport-node";
import { buckets, channels, encodeEnvelope, InText, type InControlFrame } from "@voxbus/protocol";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import { BusAwayError } from "./errors.ts";
import { connectOwnBus } from "./test-bus.ts";

let server: NatsServer;
let client: NatsConnection;
let bus: Bus;
let logged: { readonly subject?: string }[];
beforeAll(async () => {
  server = await startNatsServer();
  client = await connect({ servers: server.url });
});
beforeEach(async () => {
  logged = [];
  const write = (fields: object) => void logged.push(fields);
  bus = await connectOwnBus(server.url, { log: { ...silentLog, warn: write, error: write } });
  return () => bus.close();
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

const failed = () => bus.stats().drops["handler-failed"] ?? 0;
const encodeFrame = (seq: number) =>
  encodeEnvelope(InText, { session: "s1", seq, at: 0, kind: "text", body: "a private word" });

/** Each way in which a handler fails. */
const failures: readonly (readonly [string, () => void | Promise<void>])[] = [
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  [
    "throws no Error",
    () => {
      throw "broken";
    },
  ],
  [
    "throws undefined",
    () => {
      throw undefined;
    },
  ],
  ["rejects", async () => Promise.reject(new Error("broken"))],
  ["rejects with no Error", async () => Promise.reject(null)],
  [
    "throws after an await",
    async () => {
      await new Promise(setImmediate);
      throw new Error("broken");
    },
  ],
];

test.each(failures)("subscribe: a handler that %s is counted, and gets the next message", async (_, fail) => {
  const seqs: number[] = [];
  bus.subscribe(channels.inText("one"), ({ seq }) => {
    seqs.push(seq);
    return fail();
  });
  await bus.flush();
  for (const seq of [1, 2, 3]) client.publish("device.one.in.text", encodeFrame(seq));
  await vi.waitFor(() => expect(failed()).toBe(3));
  expect(seqs).toEqual([1, 2, 3]);
  expect(logged).toEqual([expect.objectContaining({ subject: "device.one.in.text", reason: "handler-failed" })]);
  expect(JSON.stringify(logged)).not.toContain("private");
});

test.each(failures)("bucket: a watch whose listener %s is counted, and goes on", async (kind, fail) => {
  const bucket = bus.bucket(buckets.dialogues);
  const mine = kind.replaceAll(" ", "-");
  const watch = await bucket.watch((id) => (id === mine ? fail() : undefined));
  for (const count of [1, 2]) {
    await bucket.put(mine, { messages: [] });
    await vi.waitFor(() => expect(failed()).toBe(count));
  }
  expect(logged[0]?.subject).toBe(`$KV.voxbus_dialogues.${mine}`);
  watch.close();
});

test.each(failures)("follow: a frame handler that %s is counted, and gets the next frame", async (_, fail) => {
  const following = bus.follow({
    device: "two",
    session: "s1",
    gateway: "g1",
    after: 0,
    frame: fail,
    lost: fail,
    gone: () => undefined,
  });
  await bus.flush();
  for (const seq of [1, 2]) client.publish("device.two.in.text", encodeFrame(seq));
  await vi.waitFor(() => expect(failed()).toBe(2));
  following.close();
});

test.each(failures)("connection: a listener that %s does not keep the others from being called", async (_, fail) => {
  const changes: boolean[] = [];
  bus.onChange(fail);
  bus.onChange((connected) => changes.push(connected));
  await bus.close();
  await vi.waitFor(() => expect(changes).toEqual([false]));
  await vi.waitFor(() => expect(failed()).toBe(1));
});

test("claim: a job whose handler always fails is dropped after its 4th failure, with a pause before each", async () => {
  const begun: number[] = [];
  const claims = await bus.claim({
    channel: channels.inControlOpen("poison"),
    durable: "poison",
    slots: 1,
    work: async () => {
      begun.push(performance.now());
      throw new Error("broken");
    },
  });
  const frame: InControlFrame = {
    session: "s1",
    seq: 1,
    at: 0,
    kind: "control",
    body: { type: "listen", mode: "auto", gateway: "g1" },
  };
  await bus.store(channels.inControlOpen("poison"), frame);
  await vi.waitFor(() => expect(failed()).toBe(1), 10_000);
  await vi.waitFor(() => expect(claims.held()).toBe(0));
  expect(begun).toHaveLength(4);
  for (let i = 1; i < begun.length; i += 1) expect(begun[i]! - begun[i - 1]!).toBeGreaterThan(900);
  expect(logged[0]?.subject).toBe("device.poison.in.control.open");
  await claims.drain(0);
}, 15_000);

test("respond: a malformed request is answered with its field and reason, not its value", async () => {
  bus.respond(channels.replay("g7"), () => ({ session: "s1", open: true, newest: 0, frames: [] }));
  const asked = bus.request(channels.replay("g7"), { session: "a private word", from: 1 });
  const error = await asked.catch((error: unknown) => error as Error);
  expect(error).not.toBeInstanceOf(BusAwayError);
  expect((error as Error).message).toMatch(/gateway\.g7\.replay .*bad-envelope.*session/);
  expect((error as Error).message).not.toContain("private");
});

test("respond: a request of a newer version, or one whose handler fails, is answered with the reason", async () => {
  bus.respond(channels.replay("g8"), () => {
    throw new Error("a private word");
  });
  await bus.flush();
  const newer = await client.request("gateway.g8.replay", Uint8Array.of(0x81, 0xa1, 0x76, 2));
  expect(newer.headers?.get("Nats-Service-Error-Code")).toBe("400");
  expect(newer.headers?.get("Nats-Service-Error")).toMatch(/^newer-version: v/);
  await expect(bus.request(channels.replay("g8"), { session: "s1", from: 1 })).rejects.toThrow("handler-failed");
  expect(failed()).toBe(1);
});
