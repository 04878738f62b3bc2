import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { awaitEnd } from "./processes.ts";

vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
const out = join(tmpdir(), `voxbus-npm-${process.pid}.wav`);
let system: LaunchedSystem | undefined;

afterAll(async () => {
  await system?.close();
  await rm(out, { force: true });
});

test("npm start: it prints all addresses and commands to try, which work as printed, and Ctrl-C ends it", async () => {
  system = await launchSystem({ throughNpm: true });
  const shown = system.output().split("voxbus is ready.\n")[1] ?? "";
  expect(shown).toMatch(/^ {2}device {3}ws:\/\/127\.0\.0\.1:\d+\/xiaozhi\/v1\/$/m);
  expect(shown).toMatch(/^ {2}OTA {6}http:\/\/127\.0\.0\.1:\d+\/xiaozhi\/ota\/$/m);
  expect(shown).toMatch(/^ {2}monitor {2}http:\/\/127\.0\.0\.1:\d+\/$/m);
  expect(shown).toMatch(/^ {2}NATS {5}nats:\/\/127\.0\.0\.1:\d+$/m);
  const commands = [...shown.matchAll(/^ {2}(npm run device -- .*)$/gm)].map(([, command]) => command!);
  expect(commands).toHaveLength(2);
  for (const command of commands) {
    const { stdout } = await promisify(execFile)("sh", ["-c", `${command} --out ${out}`], { cwd: root });
    expect(stdout).toMatch(/^ *heard +what (time|day|is)/m);
    expect(stdout).toMatch(/^ *said +(It is|Today is) /m);
  }

  const pids = system.processes().map(({ pid }) => pid);
  const { took } = await system.end("SIGINT");
  expect(await awaitEnd(pids, 5_000 - took)).toEqual([]);
});
