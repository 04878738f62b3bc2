import { headers, PermissionViolationError } from "@nats-io/transport-node";
import { connectBus, createNames, type Names } from "@voxbus/bus";
import { bucketNames, buckets, channels, streamNames, type BucketName, type StreamName } from "@voxbus/protocol";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { loadPrograms } from "../docs/generate.ts";
import { grants, shadowUser, type Grant } from "../docs/grants.ts";
import { permissionsOf, writeAccounts, type Permissions } from "../docs/permissions.ts";
import { neverAllowed } from "./accounts-denied.ts";
import { startGuardedNats, type GuardedNats } from "./accounts.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const users = grants.map(({ user }) => user);
/** Subjects of every kind, with what a user might try to reach. */
function listSubjects(names: Names): readonly string[] {
  const streams = [...streamNames, ...bucketNames].map(names.streamOf);
  return [
    ...Object.values(channels).map((channel) => names.subject(channel("x1").subject)),
    ...["heard", "say", "say.open"].map((name) => names.subject(`stored.device.x1.${name}`)),
    ...[...users, "other"].flatMap((user) => [
      names.subject(`stats.${user}`),
      names.subject(`error.${user}`),
      `${names.inboxPrefix(user)}.x1`,
    ]),
    ...bucketNames.map((bucket) => names.bucketSubject(bucket, "x1")),
    ...["INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE"].flatMap((call) =>
      streams.map((stream) => `$JS.API.STREAM.${call}.${stream}`),
    ),
    ...streams.flatMap((stream) => [
      `$JS.API.DIRECT.GET.${stream}`,
      `$JS.API.CONSUMER.LIST.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.x1`,
      `$JS.API.CONSUMER.CREATE.${stream}.x1.$KV.${stream.slice(3)}.>`,
      `$JS.API.CONSUMER.CREATE.${stream}.x1.device.>`,
      ...[...users, "other"]
        .map(names.durable)
        .flatMap((consumer) => [
          `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
          `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${consumer}`,
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
          `$JS.API.CONSUMER.DELETE.${stream}.${consumer}`,
          `$JS.ACK.${stream}.${consumer}.1.1.1.1.1`,
        ]),
    ]),
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.CREATE.MINE",
    "$SYS.REQ.SERVER.PING",
    `${names.discoveryInbox}.x1`,
    ...["INFO", "PING", "STATS"].flatMap((verb) => [`$SRV.${verb}`, `$SRV.${verb}.x1`, `$SRV.${verb}.x1.y1`]),
    "voxbus.trace",
    "anything",
  ];
}
const wildcards = [
  ">",
  "*",
  "*.>",
  "device.>",
  "device.*.*",
  "fleet.>",
  "gateway.>",
  "stored.>",
  "$KV.>",
  "$JS.>",
  "_INBOX.>",
];

function covers(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split("."), subject.split(".")];
  if (wanted.at(-1) === ">")
    return (
      given.length >= wanted.length &&
      covers(wanted.slice(0, -1).join("."), given.slice(0, wanted.length - 1).join("."))
    );
  return (
    wanted.length === given.length &&
    wanted.every((token, at) => (token === "*" && given[at] !== ">") || token === given[at])
  );
}

/** Tries everything as one of the users, and expects that what is outside its row is denied, and nothing else. */
async function tryEverything(
  nats: GuardedNats,
  grant: Grant,
  {
    allowed,
    tried,
    prefix = "",
  }: { readonly allowed: Permissions; readonly tried: readonly string[]; readonly prefix?: string },
) {
  const client = await nats.connectAs(grant.user, prefix);
  const denied = { publish: new Set<string>(), subscription: new Set<string>() };
  void (async () => {
    for await (const status of client.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      denied[operation].add(subject);
    }
  })();
  const subscribed = [...tried, ...wildcards];
  for (const subject of subscribed) client.subscribe(subject, { callback: () => undefined }).unsubscribe();
  for (const subject of tried) client.publish(subject, "{}");
  await client.flush();
  const isAllowed = (list: readonly string[]) => (subject: string) => list.some((pattern) => covers(pattern, subject));
  const mayPublish = (subject: string) =>
    isAllowed(allowed.publish)(subject) && !isAllowed(allowed.publishDenied)(subject);
  const maySubscribe = isAllowed(allowed.subscribe);
  const expected = [
    tried.filter((subject) => !mayPublish(subject)).toSorted(),
    subscribed.filter((subject) => !maySubscribe(subject)).toSorted(),
  ];
  // nats.js reports the errors a little later than the answer to the flush.
  await vi.waitFor(() =>
    expect([denied.publish, denied.subscription].map((set) => [...set].toSorted())).toEqual(expected),
  );
  await client.close();
  return denied;
}

describe("accounts.conf", () => {
  let nats: GuardedNats;
  let declared: ReadonlyMap<string, readonly (StreamName | BucketName)[]>;
  beforeAll(async () => {
    nats = await startGuardedNats();
    declared = new Map((await loadPrograms()).map(({ name, streams = [] }) => [name, streams]));
  });
  afterAll(() => nats.server.stop());

  test.each(grants)("$user: every subject outside its row is denied, and every one inside is not", async (grant) => {
    const allowed = permissionsOf(grant, declared.get(grant.user) ?? []);
    const denied = await tryEverything(nats, grant, { allowed, tried: listSubjects(createNames()) });
    const [publish, subscribe] = neverAllowed[grant.user]!;
    expect(publish.filter((subject) => !denied.publish.has(subject))).toEqual([]);
    expect(subscribe.filter((subject) => !denied.subscription.has(subject))).toEqual([]);
  });

  test("a traced message: nats-server's report reaches the monitor", async () => {
    const [gateway, monitor] = await Promise.all([nats.connectAs("gateway"), nats.connectAs("monitor")]);
    const report = new Promise<string>((resolve) => {
      monitor.subscribe("voxbus.trace", { callback: (_, message) => resolve(message.string()) });
    });
    await monitor.flush();
    const traced = headers();
    traced.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    gateway.publish("device.x1.event", "", { headers: traced });
    expect(await report).toContain("00f067aa0ba902b7");
    await Promise.all([gateway.close(), monitor.close()]);
  });

  test("shadow: it joins the queue groups of shadows and no others, in which it would take messages away", async () => {
    const client = await nats.connectAs(shadowUser);
    const denied = new Set<string>();
    const watching = (async () => {
      for await (const status of client.status())
        if (status.type === "error" && status.error instanceof PermissionViolationError)
          denied.add(String(status.error.queue));
    })();
    for (const subject of ["device.*.event", "device.x1.in.control", "stored.device.*.heard"])
      for (const queue of [undefined, "shadow.next", "shadow.next.dialogue", "dialogue", "shadow", "q"])
        client.subscribe(subject, { ...(queue !== undefined && { queue }), callback: () => undefined });
    await client.flush();
    await vi.waitFor(() => expect([...denied].toSorted()).toEqual(["dialogue", "q", "shadow"]), { timeout: 20_000 });
    await client.close();
    await watching;
  });

  test("an unknown password, and no user at all, are refused", async () => {
    await expect(nats.connectAs("nobody")).rejects.toThrow("Authorization Violation");
  });
});

describe("accounts of two systems on one NATS", () => {
  const prefixes = ["", "staging"];
  let nats: GuardedNats;
  let declared: ReadonlyMap<string, readonly (StreamName | BucketName)[]>;
  beforeAll(async () => {
    declared = new Map((await loadPrograms()).map(({ name, streams = [] }) => [name, streams]));
    nats = await startGuardedNats(
      writeAccounts((user) => declared.get(user) ?? [], prefixes),
      prefixes,
    );
  });
  afterAll(() => nats.server.stop());

  test.each(grants)("$user: what is of the other system is denied too", async (grant) => {
    const allowed = permissionsOf(grant, declared.get(grant.user) ?? [], createNames("staging"));
    const tried = [...listSubjects(createNames("staging")), ...listSubjects(createNames())];
    await tryEverything(nats, grant, { allowed, tried: [...new Set(tried)], prefix: "staging" });
  });

  test("gateway: it creates the streams of its system, stores, and gets its answers", async () => {
    const login = { VOXBUS_NATS_USER: "staging_gateway", VOXBUS_NATS_PASSWORD: nats.passwords["staging_gateway"]! };
    const streams = declared.get("gateway")!;
    const config = {
      VOXBUS_NATS_URL: nats.server.url,
      VOXBUS_NATS_PREFIX: "staging",
      name: "gateway",
      streams,
      ...login,
    };
    const bus = await connectBus(config, silentLog);
    const text = { session: "s1", seq: 1, at: 0, kind: "text", body: "hello" } as const;
    expect(await bus.store(channels.inText("d1"), text)).toMatchObject({ seq: 1 });
    await bus.bucket(buckets.devices).put("d1", { lastSeen: 1, lastReason: "", totalOnline: 0 });
    expect((await bus.bucket(buckets.devices).get("d1"))?.value?.lastSeen).toBe(1);
    const watch = await bus.bucket(buckets.presence).watch();
    watch.close();
    expect(bus.stats().denied).toBe(0);
    await bus.close();
  });
});
