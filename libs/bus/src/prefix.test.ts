import { connect, headers } from "@nats-io/transport-node";
import {
  bucketNames,
  buckets,
  channels,
  decodeEnvelope,
  Heard,
  stored,
  streamNames,
  type InControlFrame,
} from "@voxbus/protocol";
import { loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import type { Bus } from "./bus.ts";
import { busConfig } from "./config.ts";
import { connectOwnBus } from "./test-bus.ts";

const prefixes = ["", "staging", "Team-7_b"] as const;
let server: NatsServer;
let buses: readonly Bus[];

beforeAll(async () => {
  server = await startNatsServer();
  buses = await Promise.all(
    prefixes.map((prefix) =>
      connectOwnBus(server.url, {
        name: "asr",
        config: { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16, VOXBUS_NATS_PREFIX: prefix },
      }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  await server.stop();
});

/** Does `work` on every bus, and gives what each of them got. */
const onEach = <T>(work: (bus: Bus, name: string) => Promise<T>) =>
  Promise.all(buses.map((bus, at) => work(bus, prefixes[at] || "none")));
const heard = (text: string): Heard => ({
  session: "s1",
  listen: 1,
  utterance: 1,
  from: 1,
  origin: 1,
  text,
  language: "en",
});
const listen = (session: string): Omit<InControlFrame, "v"> => ({
  session,
  seq: 1,
  at: 0,
  kind: "control",
  body: { type: "listen", mode: "auto", gateway: "g1" },
});

test("prefix: live messages, stored messages and their republished copies stay in their system", async () => {
  const got = await onEach(async (bus) => {
    const seen: string[] = [];
    const note =
      (what: string) => (message: { readonly text: string }, from: { readonly subject: string; device: string }) =>
        void seen.push(`${what} ${from.subject} ${from.device} ${message.text}`);
    bus.subscribe(channels.heardPartial(), note("live"));
    bus.subscribe(channels.heard("d1"), note("raw"), { queue: "guests" });
    bus.subscribe(stored(channels.heard("d1")), note("stored"));
    bus.subscribeRaw("device.d1.heard.>", ({ subject, device, data }) => {
      seen.push(`bytes ${subject} ${device} ${decodeEnvelope(Heard, data).text}`);
    });
    await bus.flush();
    return seen;
  });
  await onEach(async (bus, name) => {
    bus.publish(channels.heardPartial("d1"), heard(name));
    await bus.store(channels.heard("d1"), heard(name), { id: "same", expected: 0 });
  });
  await vi.waitFor(() => expect(got.every(({ length }) => length === 4)).toBe(true));
  await onEach((bus) => bus.flush());
  expect(got.map((seen) => seen.toSorted())).toEqual(
    prefixes.map((prefix) => [
      `bytes device.d1.heard.partial d1 ${prefix || "none"}`,
      `live device.d1.heard.partial d1 ${prefix || "none"}`,
      `raw device.d1.heard d1 ${prefix || "none"}`,
      `stored stored.device.d1.heard d1 ${prefix || "none"}`,
    ]),
  );
  const read = await onEach(async (bus) => [
    (await bus.lastStored(channels.heard("d1"))).message?.text,
    (await bus.stored(channels.heard("d1"), 10)).messages.map(({ text }) => text),
  ]);
  expect(read).toEqual(prefixes.map((prefix) => [prefix || "none", [prefix || "none"]]));
});

test("prefix: requests and replays are answered within their system", async () => {
  await onEach(async (bus, name) => {
    bus.respond(channels.replay("g1"), ({ session }) => ({ session, open: true, newest: name.length, frames: [] }));
    await bus.flush();
  });
  const answers = await onEach((bus) => bus.request(channels.replay("g1"), { session: "s1", from: 1 }));
  expect(answers.map(({ newest }) => newest)).toEqual(prefixes.map((prefix) => (prefix || "none").length));
});

test("prefix: buckets and their watches stay in their system", async () => {
  const views = await onEach((bus) => bus.bucket(buckets.devices).watch());
  await onEach((bus, name) => bus.bucket(buckets.devices).put("d1", { lastSeen: 1, lastReason: name, totalOnline: 0 }));
  await vi.waitFor(() => expect(views.every(({ entries }) => entries.size === 1)).toBe(true));
  expect(views.map(({ entries }) => entries.get("d1")?.value?.lastReason)).toEqual(
    prefixes.map((prefix) => prefix || "none"),
  );
  expect(await onEach((bus) => bus.bucket(buckets.devices).ids())).toEqual(prefixes.map(() => ["d1"]));
  for (const view of views) view.close();
});

test("prefix: jobs are claimed within their system, and lags name its own consumers", async () => {
  const claimed = await onEach(async (bus) => {
    const seen: string[] = [];
    await bus.claim({
      channel: channels.inControlOpen(),
      durable: "asr",
      slots: 4,
      work: async ({ device, message }) => void seen.push(`${device} ${message.session}`),
    });
    return seen;
  });
  await onEach((bus, name) => bus.store(loose(channels.inControlOpen("d2")), listen(`of-${name}`)));
  await vi.waitFor(() => expect(claimed).toEqual(prefixes.map((prefix) => [`d2 of-${prefix || "none"}`])));
  const lags = await onEach((bus) => bus.lags());
  for (const lag of lags) expect(lag).toMatchObject([{ stream: "DEVICE_IN", durable: "asr" }]);
});

test("prefix: a frame that is followed comes from its own system", async () => {
  const followed = await onEach(async (bus) => {
    const seen: number[] = [];
    bus.follow({
      device: "d3",
      session: "s1",
      gateway: "g9",
      after: 0,
      frame: ({ at }) => seen.push(at),
      lost: () => {},
      gone: () => {},
    });
    await bus.flush();
    return seen;
  });
  await onEach(async (bus, name) =>
    bus.publish(channels.inAudio("d3"), { session: "s1", seq: 1, at: name.length, kind: "audio", body: Buffer.of(1) }),
  );
  await vi.waitFor(() => expect(followed).toEqual(prefixes.map((prefix) => [(prefix || "none").length])));
});

test("prefix: everything on NATS bears it, and a system without one has the subjects of docs/bus.md", async () => {
  const { streams } = (await server.callApi("STREAM.LIST")) as {
    streams: { config: { name: string; subjects: string[]; republish?: { src: string; dest: string } } }[];
  };
  expect(streams).toHaveLength(prefixes.length * (streamNames.length + bucketNames.length));
  for (const { config } of streams) {
    const bare = config.name.replace(/^KV_/, "");
    const prefix = prefixes.find((one) => one !== "" && bare.startsWith(`${one}_`)) ?? "";
    const before = prefix === "" ? "" : `${prefix}.`;
    expect(bare.startsWith(`${prefix || "voxbus"}_`)).toBe(true);
    const expected = config.name === bare ? `${before}device.` : `$KV.${bare}.`;
    for (const subject of config.subjects) expect(subject.startsWith(expected)).toBe(true);
    if (config.republish) expect(config.republish.dest).toBe(`${before}stored.device.>`);
  }
  const client = await connect({ servers: server.url });
  const inboxes = new Set<string>();
  client.subscribe(">", {
    callback: (_, { reply }) =>
      void (reply?.includes("_INBOX") && inboxes.add(reply.split(".").slice(0, -2).join("."))),
  });
  await client.flush();
  await onEach((bus) => bus.bucket(buckets.devices).get("d1"));
  await client.flush();
  expect(inboxes).toEqual(new Set(["_INBOX.asr", "staging._INBOX.asr", "Team-7_b._INBOX.asr"]));
  await client.close();
});

test("prefix: nats-server's report on a traced message reaches the system of that message only", async () => {
  const traced = await startNatsServer({
    config:
      'accounts { voxbus { jetstream: enabled, users: [ { user: voxbus } ], msg_trace { dest: "voxbus.trace" } } }\nno_auth_user: voxbus',
  });
  const connectTo = (prefix: string) =>
    connectOwnBus(traced.url, { streams: [], config: { VOXBUS_NATS_PREFIX: prefix } });
  const [one, other] = await Promise.all([connectTo(""), connectTo("staging")]);
  const seen: string[] = [];
  one.brokerTraces(({ events }) => void seen.push(`none ${events[0]?.subj}`));
  other.brokerTraces(({ events }) => void seen.push(`staging ${events[0]?.subj}`));
  await Promise.all([one.flush(), other.flush()]);
  const client = await connect({ servers: traced.url });
  const trace = headers();
  trace.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  for (const subject of ["shop.order", "device.d1.event", "staging.device.d1.event"])
    client.publish(subject, "", { headers: trace });
  await vi.waitFor(() => expect(seen).toHaveLength(2));
  expect(seen.toSorted()).toEqual(["none device.d1.event", "staging device.d1.event"]);
  await Promise.all([client.close(), one.close(), other.close()]);
  await traced.stop();
});

test.each([
  ...["a.b", "a b", "*", "x>", "_INBOX", "$KV", "-a", "größe", "x".repeat(33)].map((one) => [
    one,
    "1 to 32 characters",
  ]),
  ...["voxbus", "device", "stored", "fleet", "gateway", "alert", "stats"].map((one) => [one, "subjects of its own"]),
])("prefix: %j is refused at the start by the name of its variable", (VOXBUS_NATS_PREFIX, why) => {
  const { error } = z.object(busConfig).safeParse({ VOXBUS_NATS_PREFIX });
  expect(error?.issues).toMatchObject([
    { path: ["VOXBUS_NATS_PREFIX"], message: expect.stringContaining(why) as string },
  ]);
});

test.each(["staging", "S", "team-7_b", "x".repeat(32), "7"])("prefix: %j is allowed", (VOXBUS_NATS_PREFIX) => {
  expect(z.object(busConfig).safeParse({ VOXBUS_NATS_PREFIX }).success).toBe(true);
});
