import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectClient } from "@nats-io/transport-node";
import { buckets, channels, type Dialogue, type InText } from "@voxbus/protocol";
import { findFreePort, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import type { StreamSizes } from "./config.ts";
import { connectBus } from "./connect.ts";
import { BusAwayError, StorageFullError } from "./errors.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).toReversed()) await close();
});

const small = { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16 };
const account = (jetstream: string): string =>
  `accounts { A { jetstream: ${jetstream}, users: [{ user: "a", password: "a" }] } }
no_auth_user: "a"`;

async function start(config?: string): Promise<NatsServer> {
  const server = await startNatsServer(config === undefined ? {} : { config });
  closers.push(() => server.stop());
  return server;
}
async function connect(
  { url }: NatsServer,
  options: Partial<StreamSizes> & { readonly replicas?: number } = {},
): Promise<Bus & { readonly logged: string[] }> {
  const { replicas = 1, ...sizes } = options;
  const logged: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => void logged.push(message) };
  const bus = await connectBus({ VOXBUS_NATS_URL: url, VOXBUS_NATS_REPLICAS: replicas, ...sizes }, log);
  closers.push(() => bus.close());
  return Object.assign(bus, { logged });
}
/** Publishes until the account's storage is used up. */
async function fillAccount({ url }: NatsServer): Promise<void> {
  const client = await connectClient({ servers: url });
  for (const size of [500_000, 50_000, 5000, 500]) {
    for (let error: unknown; error === undefined;) {
      error = (await client.request("other", new Uint8Array(size))).json<{ readonly error?: object }>().error;
    }
  }
  await client.close();
}

/** True if this user may mount a file system in a name space of its own. */
function canMount(): boolean {
  try {
    execFileSync("unshare", ["-rm", "mount", "-t", "tmpfs", "small", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Starts a nats-server whose store is a file system of 80 MB. */
async function startOnSmallDisk(): Promise<NatsServer> {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-disk-"));
  const wrapper = join(directory, "nats-server");
  const binary = process.env["VOXBUS_NATS_SERVER"] ?? "nats-server";
  const mount = 'store="$(dirname "$2")/store"; mkdir "$store"; mount -t tmpfs -o size=80m small "$store"';
  writeFileSync(wrapper, `#!/bin/sh\nexec unshare -rm sh -c '${mount}; exec "$0" "$@"' "${binary}" "$@"\n`, {
    mode: 0o755,
  });
  vi.stubEnv("VOXBUS_NATS_SERVER", wrapper);
  try {
    return await start();
  } finally {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  }
}

const text = (body: string): InText => ({ session: "s1", seq: 1, at: 0, kind: "text", body });
const dialogue = (length: number): Dialogue => ({
  messages: Array.from({ length: 8 }, () => ({ role: "user" as const, text: "x".repeat(length), at: 0 })),
  turns: [],
});
const sizesOf = async (server: NatsServer): Promise<Readonly<Record<string, number>>> => {
  const { streams } = (await server.callApi("STREAM.LIST")) as {
    streams: { config: { name: string; max_bytes: number } }[];
  };
  return Object.fromEntries(streams.map(({ config }) => [config.name, config.max_bytes / 1024 ** 2]));
};

test("sizes: every stream and bucket has one, and the variables change those that exist", async () => {
  const server = await start();
  await connect(server, { VOXBUS_BUCKETS_MB: 64 });
  const first = await sizesOf(server);
  expect(first).toMatchObject({
    voxbus_DEVICE_IN: 256,
    voxbus_TURNS: 128,
    KV_voxbus_dialogues: 20,
    KV_voxbus_gateways: 1,
  });
  expect(Object.values(first).every((size) => size > 0)).toBe(true);
  await connect(server, { ...small, VOXBUS_DEVICE_IN_MB: 300 });
  expect(await sizesOf(server)).toMatchObject({ voxbus_DEVICE_IN: 300, voxbus_TURNS: 16, KV_voxbus_dialogues: 5 });
});

test("sizes: an account with 60 MB is enough for small ones, also when larger ones exist", async () => {
  const server = await start(account("{ max_file: 60MB }"));
  await connect(server, { ...small, VOXBUS_DEVICE_IN_MB: 24 });
  const bus = await connect(server, { ...small, VOXBUS_TURNS_MB: 24 });
  await bus.store(channels.inText("d1"), text("hello"));
});

test("sizes: an account with too little storage is told the number that is needed", async () => {
  const server = await start(account("{ max_file: 100MB }"));
  await expect(connect(server)).rejects.toThrow(
    "NATS has too little storage: the streams and buckets need 640 MB. This account may use 100 MB. " +
      "Raise the limit of NATS, or lower VOXBUS_DEVICE_IN_MB, VOXBUS_TURNS_MB, VOXBUS_BUCKETS_MB",
  );
});

test("a full bucket: new entries are refused by name and counted, others go on, and entries can be removed", async () => {
  const server = await start();
  const bus = await connect(server, small);
  const bucket = bus.bucket(buckets.dialogues);
  const ids = Array.from({ length: 400 }, (_, n) => `d${n}`);
  const written = await Promise.allSettled(ids.map((id) => bucket.put(id, dialogue(2000))));
  const refused = written.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  expect(refused.length).toBeGreaterThan(50);
  expect(refused.every((error) => error instanceof StorageFullError)).toBe(true);
  expect(bus.stats().full).toBe(refused.length);
  expect(bus.logged).toEqual(["message not stored, storage full"]);
  expect(bus.storing()).toBe(true);
  // What exists can be changed, shortened and removed.
  await bucket.put("d0", dialogue(1990));
  await bus.store(channels.inText("d1"), text("hello"));
  for (const id of ["d1", "d2", "d3"]) await bucket.remove(id);
  await bucket.put("d399", dialogue(2000));
});

test("JetStream off for the account: the bus is connected but does not store, and recovers", async () => {
  const server = await start(account("enabled"));
  const bus = await connect(server, small);
  expect(bus.storing()).toBe(true);
  await bus.store(channels.inText("d1"), text("before"));
  const offAt = performance.now();
  server.reload(account("disabled"));
  await vi.waitFor(() => expect(bus.storing()).toBe(false), { timeout: 5000, interval: 50 });
  expect(performance.now() - offAt).toBeLessThan(5000);
  expect(bus.connected()).toBe(true);
  await vi.waitFor(() => expect(bus.logged).toEqual(["storage of NATS failed"]));
  const waiting = bus.store(channels.inText("d1"), text("meanwhile"));
  server.reload(account("enabled"));
  await vi.waitFor(() => expect(bus.storing()).toBe(true), { timeout: 8000, interval: 50 });
  await waiting;
  expect((await bus.stored(channels.inText("d1"), 10)).messages.map(({ body }) => body)).toEqual([
    "before",
    "meanwhile",
  ]);
});

test("the account's storage is used up: the bus does not store, the writer is told at once", async () => {
  const server = await start(account("{ max_file: 60MB }"));
  const bus = await connect(server, small);
  await bus.store(channels.inText("d1"), text("before"));
  await server.callApi("STREAM.CREATE.other", { name: "other", subjects: ["other"], storage: "file" });
  await fillAccount(server);
  await vi.waitFor(() => expect(bus.storing()).toBe(false), { timeout: 5000, interval: 50 });
  await expect(bus.store(channels.inText("d1"), text("hello"))).rejects.toThrow(StorageFullError);
});

test("a cluster without a majority: the bus does not store, and recovers", async () => {
  const ports = await Promise.all([1, 2, 3].map(() => findFreePort()));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const [first, ...others] = await Promise.all(
    ports.map((port, n) =>
      start(`server_name: "n${n}"
cluster { name: "majority", listen: "127.0.0.1:${port}", routes: [${routes}] }`),
    ),
  );
  const bus = await connect(first!, { ...small, replicas: 3 });
  await bus.store(channels.inText("d1"), text("before"));
  for (const other of others) other.kill("SIGKILL");
  await vi.waitFor(() => expect(bus.storing()).toBe(false), { timeout: 5000, interval: 50 });
  expect(bus.connected()).toBe(true);
  await Promise.all(others.map((other) => other.restart()));
  await vi.waitFor(() => expect(bus.storing()).toBe(true), { timeout: 20_000, interval: 50 });
}, 60_000);

test.skipIf(!canMount())(
  "a full disk: the bus does not store, although it reads, and what waits is bounded",
  async () => {
    const server = await startOnSmallDisk();
    const bus = await connect(server, small);
    await bus.store(channels.inText("d1"), text("before"));
    const fill = join("/proc", String(server.pid), "root", server.store, "fill");
    try {
      execFileSync("dd", ["if=/dev/zero", `of=${fill}`, "bs=1M", "count=200"], { stdio: "ignore" });
    } catch {
      // The disk is full.
    }
    await vi.waitFor(() => expect(bus.storing()).toBe(false), { timeout: 5000, interval: 50 });
    expect(bus.connected()).toBe(true);
    expect((await bus.lastStored(channels.inText("d1"))).message?.body).toBe("before");
    // What waits is bounded.
    const body = "x".repeat(4000);
    const many = Array.from({ length: 20_000 }, (_, n) => bus.store(channels.inText(`d${n}`), text(body)));
    const failed = (await Promise.allSettled(many.slice(-1000))).filter(({ status }) => status === "rejected");
    expect(failed).toHaveLength(1000);
    for (const one of many) one.catch((error: unknown) => expect(error).toBeInstanceOf(BusAwayError));
  },
);
