import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isAudio, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const cli = fileURLToPath(new URL("../../../apps/cli/dist/main.js", import.meta.url));

let natsServers: readonly NatsServer[];
let here: LaunchedSystem;
let there: LaunchedSystem;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-replay-"));
  natsServers = await Promise.all([startNatsServer(), startNatsServer()]);
  const launch = ({ url }: NatsServer) => launchSystem({ env: { VOXBUS_NATS_URL: url } });
  [here, there] = (await Promise.all(natsServers.map(launch))) as [LaunchedSystem, LaunchedSystem];
});
afterAll(async () => {
  await Promise.all([here?.close(), there?.close()]);
  await Promise.all(natsServers.map((server) => server.stop()));
  await rm(directory, { recursive: true });
});

/** Runs `voxbus` and gives its output at its end. `until` ends it with Ctrl-C once it stands. */
async function voxbus(args: readonly string[], env = {}, during?: () => Promise<void>) {
  const child = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...env } });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const started = new Promise<void>((resolve) =>
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes("Recording into")) resolve();
    }),
  );
  const exited = once(child, "exit");
  if (during) {
    await Promise.race([started, exited]);
    await during();
    child.kill("SIGINT");
  }
  const [code] = (await exited) as [number | null];
  return { code, stdout, stderr };
}

interface Line {
  readonly device: string;
  readonly id: string;
  readonly isSame: boolean;
  readonly recorded?: { readonly heard: string; readonly said: readonly string[] };
  readonly replayed?: { readonly heard: string; readonly said: readonly string[] };
}

function readLines(stdout: string): readonly Line[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

/** Records what happens on the first system. */
async function record(name: string, during: () => Promise<void>): Promise<string> {
  const path = join(directory, name);
  const { code, stderr } = await voxbus(["record", path, "--fleet"], { VOXBUS_NATS_URL: natsServers[0]!.url }, during);
  expect([code, stderr]).toEqual([0, expect.stringContaining("It holds what people say")]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  return path;
}

/** Announces something on the first system, until the device has spoken it. A replay has nothing to compare with it. */
async function announce(device: string): Promise<void> {
  const env = { VOXBUS_NATS_URL: natsServers[0]!.url };
  expect(await voxbus(["say", device, "Dinner is ready.", "--wait"], env)).toMatchObject({ code: 0 });
}

test("conversations that were recorded on one system bring the same transcripts and answers on another", async () => {
  const path = await record("conversation", async () => {
    const [kitchen, hall] = [
      await startDevice(here.devices[0]!, "kitchen"),
      await startDevice(here.devices[0]!, "hall"),
    ];
    const talk = async () => {
      await kitchen.do({ do: "wav", file: "samples/sum.wav" });
      await kitchen.turn();
      await announce("kitchen");
      await kitchen.turn();
      await kitchen.do({ do: "text", text: "what is two plus two" });
      await kitchen.turn();
      await kitchen.do({ do: "wav", file: "samples/volume.wav" });
      await kitchen.turn();
      await kitchen.end();
    };
    const interrupt = async () => {
      await hall.do({ do: "text", text: "tell me a story" });
      await hall.next(isAudio);
      await hall.do({ do: "abort" });
      await hall.turn();
      await hall.do({ do: "wav", file: "samples/hello.wav" });
      await hall.turn();
      await hall.end();
    };
    await Promise.all([talk(), interrupt()]);
  });
  const { code, stdout, stderr } = await voxbus(["replay", path, "--to", there.devices[0]!, "--json", "--check"]);
  const heardBy = (name: string) =>
    readLines(stdout).flatMap(({ device, replayed }) => (device === name ? [replayed?.heard] : []));
  expect(heardBy("kitchen")).toEqual([
    "what is seven plus five",
    "what is two plus two",
    expect.stringContaining("volume"),
  ]);
  expect(heardBy("hall")).toEqual(["tell me a story", "hello there"]);
  expect(readLines(stdout).filter(({ id, isSame }) => id.startsWith("replay-") && isSame)).toHaveLength(5);
  expect([code, stderr]).toEqual([0, expect.stringContaining("5 of 5 exchanges are the same")]);
  expect(stderr).not.toContain("did not come as in the recording");
});

test("a device that is online is not replaced; once it is gone, its id can be replayed", async () => {
  const path = await record("ids", async () => {
    const device = await startDevice(here.devices[0]!, "porch");
    await device.do({ do: "text", text: "hello" });
    await device.turn();
    await device.end();
  });
  const replay = (nats: number) =>
    voxbus(["replay", path, "--device", "porch", "--to", there.devices[0]!, "--keep-ids", "--check"], {
      VOXBUS_NATS_URL: natsServers[nats]!.url,
    });
  const device = await startDevice(there.devices[0]!, "porch");
  expect(await replay(1)).toMatchObject({ code: 1, stderr: expect.stringContaining("porch is online at the gateway") });
  // The NATS of another system does not know who is online.
  expect(await replay(0)).toMatchObject({ code: 1, stderr: expect.stringContaining("do not appear on the NATS") });
  await device.do({ do: "text", text: "hello" });
  await device.turn();
  await device.end();
  const isOnline = async () =>
    "gateway" in ((await (await fetch(`${there.monitor}api/devices/porch`)).json()) as object);
  await vi.waitFor(async () => expect(await isOnline()).toBe(false), { timeout: 20_000 });
  expect(await replay(1)).toMatchObject({ code: 0 });
});

test("a stand-in gets the recorded profile for the time of the replay, if that is wanted", async () => {
  const put = { method: "PUT", headers: { "content-type": "application/json", "if-match": "0" } };
  const profile = JSON.stringify({ wakeWords: ["good morning box"] });
  expect((await fetch(`${here.monitor}api/devices/study/profile`, { ...put, body: profile })).ok).toBe(true);
  const path = await record("profile", async () => {
    const device = await startDevice(here.devices[0]!, "study");
    await device.do({ do: "text", text: "good morning box" });
    await device.do({ do: "text", text: "what is two plus two" });
    await device.turn();
    await device.end();
  });
  const env = { VOXBUS_NATS_URL: natsServers[1]!.url };
  const options = ["replay", path, "--device", "study", "--to", there.devices[0]!, "--json", "--check"];
  const replay = (...args: readonly string[]) => voxbus([...options, ...args], env);
  const { code, stdout } = await replay("--profiles");
  expect([code, readLines(stdout)]).toEqual([
    0,
    [expect.objectContaining({ isSame: true, replayed: expect.objectContaining({ heard: "what is two plus two" }) })],
  ]);
  // A reader that goes away does not leave the profile behind.
  const unread = spawn(process.execPath, [cli, ...options, "--profiles"], { env: { ...process.env, ...env } });
  unread.stdout.destroy();
  unread.stderr.resume();
  expect(await once(unread, "exit")).toEqual([0, null]);
  // Without it, the wake word counts as typed text.
  expect((await replay()).code).toBe(1);
  const left = await fetch(`${there.monitor}api/devices/replay-study/profile`);
  expect(await left.text()).not.toContain("good morning");
});
