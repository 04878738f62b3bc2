import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
let system: LaunchedSystem;
let folder: string;
let device: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "voxbus-images-"));
  await mkdir(join(folder, "voxbus-simulator"));
  await writeFile(join(folder, "voxbus-simulator/2.5.0.bin"), "image");
  system = await launchSystem({
    env: {
      VOXBUS_AUTH: "hmac",
      VOXBUS_AUTH_KEY: "a-key-of-sixteen-or-more",
      VOXBUS_ACTIVATION: "code",
      VOXBUS_FIRMWARE_DIR: folder,
    },
  });
}, 60_000);
afterAll(async () => {
  device?.kill("SIGKILL");
  await system?.close();
  await rm(folder, { recursive: true });
});

async function ask(path: string, body?: object): Promise<Record<string, unknown>> {
  const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await (await fetch(new URL(path, system.monitor), init)).json()) as Record<string, unknown>;
}

test("a new device: shows its code, an operator types it, and the device is answered and offered its firmware", async () => {
  const id = "02:00:00:00:00:a1";
  const args = ["--ota", system.ota[0]!, "--activate", "--id", id, "--text", "what is seven plus five", "--out"];
  const program = "apps/simulator/dist/device.js";
  device = spawn(process.execPath, [program, ...args, join(folder, "answer.wav")], { cwd: root });
  let said = "";
  device.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const failed = text(device.stderr!);
  const code = await vi.waitFor(
    () => {
      const [, digits] = /activation of this device: voxbus (\d{6})/.exec(said) ?? [];
      if (digits === undefined) throw new Error(`no code in: ${said}`);
      return digits;
    },
    { timeout: 20_000 },
  );
  expect(await ask("api/activations")).toMatchObject({
    waiting: [{ id, board: "voxbus-simulator", firmware: "2.4.2" }],
  });
  expect(await ask("api/activations", { code, name: "Hall", group: "ground" })).toEqual({ device: id });
  const [exit] = (await once(device, "exit")) as [number];
  expect([exit, await failed]).toEqual([0, ""]);
  expect(said).toContain("a token");
  expect(said).toContain("It offers firmware 2.5.0");
  expect(said).toContain("That is 12.");
  const known = await ask(`api/registry/${id}`);
  expect(known).toMatchObject({ name: "Hall", group: "ground", allowed: true, firmware: "2.4.2" });
  expect(known).toMatchObject({ update: { version: "2.5.0", state: "offered" } });
  expect(await ask("api/activations")).toEqual({ waiting: [] });
});
