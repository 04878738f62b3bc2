import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { channels, encodeEnvelope } from "@voxbus/protocol";
import { createRegistry } from "@voxbus/presence";
import { connectTestBus, findFreePort, silentLog, startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { createSession, writeRecording } from "../recording/test-recording.ts";
import { startTestServer, type TestServer } from "../replay/test-gateway.ts";
import { runCli } from "../test-cli.ts";

let server: TestServer;
let directory: string;
let path: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "voxbus-replay-"))));
beforeEach(async ({ task }) => {
  path = join(directory, task.id);
  server = await startTestServer();
});
afterEach(() => server.stop());
afterAll(() => rmSync(directory, { recursive: true }));

const replay = (...args: readonly string[]) =>
  runCli(["replay", path, ...(args.includes("--to") ? [] : ["--to", server.url]), ...args]);

test.each([
  [["--to", "http://127.0.0.1:1"], 2, /--to is the WebSocket URL of a gateway/],
  [["--speed", "0"], 2, /--speed is a number from 0.1 to 10/],
  [["--patience", "x"], 2, /--patience is a number/],
  [["--device", "cellar"], 1, /no messages of the device cellar/],
  [["--as", "a b"], 2, /device-id must be 1 to 64 characters/],
  [["--as", "x"], 2, /--as names one device, and the recording has 2/],
  [["--as", "x", "--keep-ids"], 2, /exclude each other/],
  [["--profiles", "--keep-ids"], 2, /exclude each other/],
])("replay: %j ends with %i and a line that says why", async (args, code, problem) => {
  const sessions = [createSession("kitchen", "s1"), createSession("hall", "s2")];
  await writeRecording(
    path,
    sessions.map((session) => session.text(0, "a secret wish")),
  );
  const ended = await replay(...args);
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(problem)]);
  expect(server.taken.items).toEqual([]);
  expect(ended.stdout + ended.stderr).not.toContain("secret");
});

const out = encodeEnvelope(channels.out.schema, { kind: "control", body: { type: "end" } });
test.each<[string, () => unknown, string]>([
  ["a missing file", () => undefined, "ENOENT"],
  ["a foreign file", () => writeFileSync(path, "a text"), "not a recording"],
  ["a recording without frames", () => writeRecording(path, [[0, "device.a.out", out]]), "nothing to replay"],
])("replay: %s ends with a line that says so", async (_, write, problem) => {
  await write();
  expect(await replay()).toMatchObject({ code: 1, stderr: expect.stringContaining(problem) });
});

test("replay: a gateway that cannot be reached is named", async () => {
  await writeRecording(path, [createSession("kitchen", "s1").text(0, "a")]);
  const url = `ws://127.0.0.1:${await findFreePort()}/`;
  const { code, stderr } = await runCli(["replay", path, "--to", url]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(`${url} cannot be reached (ECONNREFUSED)`)]);
});

test("replay: without --to or --live, it is refused while devices are online that are no stand-ins", async () => {
  await writeRecording(path, [createSession("kitchen", "s1").text(0, "a")]);
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await connectTestBus(nats.url);
  onTestFinished(() => bus.close());
  const gateway = await createRegistry(bus, {
    id: "g1",
    epoch: "01J0000000000000000000000A",
    address: "http://127.0.0.1:8000",
    load: () => ({ connections: 3, speaking: 0 }),
    taken: () => undefined,
    superseded: () => undefined,
    log: silentLog,
  });
  onTestFinished(() => gateway.close());
  const presence = { session: "s1", since: 5, remote: "10.0.0.9", protocol: 1, features: {}, state: "active" } as const;
  for (const device of ["kitchen", "hall", "replay-hall"])
    await gateway.enter(device, { ...presence, session: device }, new AbortController().signal);
  const { code, stderr } = await runCli(["replay", path], { VOXBUS_NATS_URL: nats.url });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^voxbus replay: 2 devices are online here.* --live\.\n$/)]);
});

test.each(["--keep-ids", "--as=hall", "--profiles"])("replay: %s needs to know who is online", async (option) => {
  await writeRecording(path, [createSession("kitchen", "s1").text(0, "a")]);
  const env = { VOXBUS_NATS_URL: `nats://127.0.0.1:${await findFreePort()}` };
  const { code, stderr } = await runCli(["replay", path, "--to", server.url, option], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining("cannot be reached")]);
  expect(server.taken.items).toEqual([]);
});
