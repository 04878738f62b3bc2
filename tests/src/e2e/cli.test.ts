import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startOnOddHost, type HostedProgram } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startGuardedNats, startProgram, type GuardedNats, type StartedProgram } from "./accounts.ts";
import { isAudio, isMessage, readSentences, startDevice, type Line, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
const packetMs = 60;
const folder = mkdtempSync(join(tmpdir(), "voxbus-cli-"));
let nats: GuardedNats;
let programs: readonly StartedProgram[] = [];
let device: ScriptedDevice;

beforeAll(async () => {
  nats = await startGuardedNats();
  const names = ["gateway", "asr", "dialogue", "tts"];
  programs = await Promise.all(
    names.map((name) => startProgram(`apps/${name}/dist/main.js`, { name, env: login(name) })),
  );
  device = await startDevice(programs[0]!.addresses["device"]!, "kitchen", "--no-tools");
});
afterAll(async () => {
  await device?.end();
  await Promise.all(programs.map((program) => program.end()));
  await nats.server.stop();
  rmSync(folder, { recursive: true });
});

const login = (user: string) => ({
  VOXBUS_NATS_URL: nats.server.url,
  VOXBUS_NATS_USER: user,
  VOXBUS_NATS_PASSWORD: nats.passwords[user] ?? "",
});

/** Starts a command as a user of NATS. With `ready` it resolves after that line. */
async function start(user: string, args: readonly string[], ready?: RegExp): Promise<HostedProgram> {
  const one = startOnOddHost([process.execPath, "apps/cli/dist/main.js", ...args], { cwd: root, env: login(user) });
  if (ready !== undefined) await one.awaitLine(ready);
  return one;
}

test("command line: with the least permissions it shows and hears a conversation, and speaks into it", async () => {
  const tail = await start("listener", ["tail", "--device", "kitchen", "--json"], /following/);
  const files = { microphone: join(folder, "microphone.ogg"), speaker: join(folder, "speaker.ogg") };
  const ears = await Promise.all(
    Object.entries(files).map(([side, file]) =>
      start("cli", ["listen", "kitchen", "--side", side, "--out", file], /listening to/),
    ),
  );
  await device.do({ do: "wav", file: "samples/sum.wav" });
  const turn = await device.turn();
  expect(readSentences(turn)).toEqual(["That is 12."]);
  const say = await start("cli", ["say", "kitchen", "Dinner is ready.", "--wait"]);
  const announcement = await device.turn();
  expect(readSentences(announcement)).toEqual(["Dinner is ready."]);
  expect([await say.ended, say.output()]).toEqual([0, "spoken by kitchen\n"]);
  const alert = { type: "alert", status: "Door", message: "Someone rings.", emotion: "happy" };
  const send = await start("cli", ["send", "kitchen", JSON.stringify(alert)]);
  expect(await device.next(({ message }) => message?.["type"] === "alert")).toMatchObject({ message: alert });
  expect([await send.ended, send.output()]).toEqual([0, "sent on device.kitchen.out\n"]);

  for (const ear of ears) expect((await ear.end("SIGINT")).code).toBe(0);
  const [spoken = 0, played = 0] = ears.map((ear) => Number(/wrote ([\d.]+) s of sound/.exec(ear.output())?.[1]));
  expect(spoken).toBeGreaterThan(1);
  // The gateway's own phrases are not on the bus. On a slow machine one may come before a sentence.
  const countAfterText = (lines: readonly Line[]) =>
    lines.slice(lines.findIndex(isMessage({ type: "tts", state: "sentence_start" }))).filter(isAudio).length;
  expect(played).toBeCloseTo(((countAfterText(turn) + countAfterText(announcement)) * packetMs) / 1000, 1);
  for (const file of Object.values(files)) expect(readFileSync(file).subarray(0, 4).toString()).toBe("OggS");

  expect((await tail.end("SIGINT")).code).toBe(0);
  const lines = tail
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  const shown = lines.map((line) => JSON.parse(line) as Shown);
  const texts = shown.flatMap(({ subject, message }) =>
    message?.text ? [[subject.replace("device.kitchen.", ""), message.text]] : [],
  );
  expect(texts.filter(([kind]) => kind !== "heard.partial")).toEqual([
    ["heard", expect.stringContaining("plus")],
    ["say.open", "That is 12."],
    ["say.open", "Dinner is ready."],
  ]);
  const packets = shown.reduce((sum, { audio }) => sum + (audio?.packets ?? 0), 0);
  // It listened longer than the ear.
  expect(packets * packetMs).toBeGreaterThan(spoken * 1000 - packetMs);
  expect(tail.output()).toMatch(/NATS permission denied operation=subscription subject=device\.kitchen\.out/);
});

interface Shown {
  readonly subject: string;
  readonly message?: { readonly text?: string };
  readonly audio?: { readonly packets: number };
  readonly bad?: { readonly field: string };
  readonly dropped?: { readonly subject: string; readonly field: string };
}

test("command line: what may not be done is refused with its subject", async () => {
  for (const args of [
    ["say", "kitchen", "Hello."],
    ["send", "kitchen", '{"type":"system","command":"reboot"}'],
    ["tail", "fleet.out"],
    ["listen", "kitchen", "--side", "speaker", "--out", join(folder, "denied.ogg")],
  ]) {
    const one = await start("listener", args);
    expect([args[0], await one.ended]).toEqual([args[0], 1]);
    expect(one.output()).toMatch(new RegExp(`voxbus ${args[0]}: NATS (?:does not permit|permits none)`));
    expect(one.output()).not.toMatch(/^ +at /m);
  }
});

test("command line: tail shows a malformed message, and which programs dropped it", async () => {
  const tail = await start("listener", ["tail", "--device", "kitchen", "--kind", "bad", "--json"], /following/);
  const gateway = await nats.connectAs("gateway");
  const told = [tail.awaitLine(/"bad"/), tail.awaitLine(/"dropped"/)];
  gateway.publish("device.kitchen.event", Buffer.from("a private word"));
  const [line = "", report = ""] = await Promise.all(told);
  expect(JSON.parse(line)).toMatchObject({
    subject: "device.kitchen.event",
    bad: { code: "bad-envelope", field: "envelope" },
  });
  const dropped = JSON.parse(report) as Shown;
  expect(dropped).toMatchObject({ dropped: { subject: "device.kitchen.event", reason: "bad-envelope" } });
  expect(["error.asr", "error.dialogue", "error.tts"]).toContain(dropped.subject);
  expect((await tail.end("SIGTERM")).code).toBe(0);
  expect(tail.output()).not.toContain("private");
  await gateway.close();
});

test("command line: the user cli lists, sets and backs up, restores while the system runs, and drains a gateway", async () => {
  const run = async (...args: readonly string[]) => {
    const one = await start("cli", args);
    expect([args[0], await one.ended, one.output()]).toEqual([args[0], 0, expect.any(String)]);
    return one.output();
  };
  const file = join(folder, "system.backup");
  await run("profiles", "set", "kitchen", '{"farewell": "Until later."}');
  await run("token", "issue", "kitchen");
  await run("backup", file);
  await run("profiles", "set", "kitchen", '{"farewell": "Never."}');
  await run("token", "revoke", "kitchen");
  await run("restore", file, "--overwrite");
  expect(await run("profiles", "get", "kitchen")).toMatch(/^farewell +device +"Until later\."$/m);
  await device.do({ do: "text", text: "what is one plus one" });
  expect(readSentences(await device.turn())).toEqual(["That is 2."]);
  expect(await run("devices", "--online")).toMatch(/^kitchen /m);
  const denied = await start("listener", ["backup", join(folder, "denied.backup")]);
  expect([await denied.ended, denied.output()]).toEqual([1, expect.stringContaining("NATS does not permit")]);
  const [id = ""] = (await run("gateways", "list", "--json")).match(/(?<="id":")[^"]+/) ?? [];
  expect(await run("gateways", "drain", id)).toContain(`${id} has stopped`);
});
