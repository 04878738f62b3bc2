import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram, type StartedProgram } from "../e2e/accounts.ts";
import { isMessage, startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";

// An announcement is due at the beginning of a minute.
vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "voxbus-announcer-"));
let nats: PageNats;
let announcer: StartedProgram | undefined;
let device: ScriptedDevice | undefined;
let ours: readonly StartedProgram[] = [];

beforeAll(async () => {
  nats = await startPageNats("examples/announcer/README.md");
  ours = await Promise.all([nats.startOwn("gateway"), nats.startOwn("tts")]);
});
afterAll(async () => {
  await device?.end();
  await announcer?.end();
  await Promise.all(ours.map((program) => program.end()));
  await nats?.server.stop();
  rmSync(folder, { recursive: true });
});

test("announcer: an announcement under the user of its page, and NATS denies nothing", async () => {
  const plan = join(folder, "announcements.json");
  const minutes = [1, 2].map((minute) => new Date(Date.now() + minute * 60_000).toISOString().slice(11, 16));
  const announcements = minutes.map((at) => ({ at, timeZone: "UTC", text: "Dinner is ready." }));
  writeFileSync(plan, JSON.stringify(announcements));
  device = await startDevice(ours[0]!.addresses["device"]!, "kitchen");
  announcer = await startProgram("examples/announcer/dist/main.js", {
    name: "announcer",
    env: {
      VOXBUS_NATS_URL: nats.server.url,
      VOXBUS_NATS_USER: "announcer",
      VOXBUS_NATS_PASSWORD: nats.password,
      VOXBUS_ANNOUNCER_PLAN: plan,
    },
  });
  const made = { msg: "announcement made", devices: 1, failed: 0 };
  await vi.waitFor(() => expect(announcer!.lines).toContainEqual(expect.objectContaining(made)), {
    timeout: 100_000,
    interval: 200,
  });
  await device.next(isMessage({ type: "tts", state: "sentence_start", text: "Dinner is ready." }));
  expect(await announcer.end()).toBe(0);
  const denied = announcer.lines.filter(({ msg }) => msg === "NATS permission denied");
  expect(denied.map(({ operation, subject }) => `${String(operation)} ${String(subject)}`)).toEqual([]);
});
