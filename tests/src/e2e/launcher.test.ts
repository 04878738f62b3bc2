import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { freePorts, launchSystem, type LaunchedSystem } from "./launcher.ts";
import { awaitEnd } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

const launcher = fileURLToPath(new URL("../../../deploy/local/start.mjs", import.meta.url));
const programs = ["gateway", "asr", "tts", "dialogue", "tools", "monitor"];

let system: LaunchedSystem | undefined;

afterEach(async () => {
  await system?.close();
  system = undefined;
});

/** Asks an OTA address for the WebSocket URL. */
async function askForUrl(ota: string): Promise<string> {
  const response = await fetch(ota, { headers: { "Device-Id": "asker" } });
  return ((await response.json()) as { websocket: { url: string } }).websocket.url;
}

test("npm start: it prints every address, runs each program in its own process group, and Ctrl-C ends all within 5 s", async () => {
  system = await launchSystem({ gateways: 2 });
  expect(system.devices).toHaveLength(2);
  for (const url of system.devices) expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/xiaozhi\/v1\/$/);
  expect(await Promise.all(system.ota.map(askForUrl))).toEqual(system.devices);
  expect((await fetch(new URL("/api/gateways", system.monitor))).status).toBe(200);
  for (const program of programs) {
    expect(system.processes(`apps/${program}/`)).toHaveLength(program === "gateway" ? 2 : 1);
  }
  const again = spawnSync(process.execPath, [launcher], {
    env: { ...process.env, ...freePorts, VOXBUS_GATEWAY_PORT: new URL(system.devices[1]!).port },
    encoding: "utf8",
  });
  expect(again.status).toBe(3);
  expect(again.stderr).toContain(
    `it is already running in this folder, as process ${system.pid}: ${system.devices[0]}`,
  );
  expect(again.stdout).toBe("");
  // It has nothing to do unless a variable says so.
  expect(system.processes("apps/mcp/")).toEqual([]);
  const pids = system.processes().map((one) => one.pid);
  for (const pid of pids) expect(() => process.kill(-pid, 0)).not.toThrow();

  const { code, took } = await system.end("SIGINT");
  expect(code).toBe(0);
  expect(took).toBeLessThan(5_000);
  expect(await awaitEnd(pids, 0)).toEqual([]);
});

test("npm start | tee: Ctrl-C loses no line, although it ends tee, and the system stops in order", async () => {
  const folder = mkdtempSync(join(tmpdir(), "voxbus-tee-"));
  const [log, errors] = [join(folder, "log"), join(folder, "errors")];
  const command = `"$0" "$1" 2> ${errors} | tee ${log}; exit \${PIPESTATUS[0]}`;
  const child = spawn("bash", ["-c", command, process.execPath, launcher], {
    // A terminal gives a pipeline a process group of its own, and sends Ctrl-C to all of it.
    detached: true,
    env: { ...process.env, ...freePorts },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text));
  try {
    await vi.waitFor(() => expect(shown).toContain("Press Ctrl-C to stop."), { timeout: 40_000 });
    process.kill(-child.pid!, "SIGINT");
    await ended;
    await vi.waitFor(() => expect(readFileSync(errors, "utf8")).toContain("everything stopped"), { timeout: 10_000 });
    const last = readFileSync(errors, "utf8");
    expect(readFileSync(log, "utf8")).toContain("Press Ctrl-C to stop.");
    for (const name of programs) expect(last).toMatch(new RegExp(`^${name} +\\| .*"msg":"stopped"`, "m"));
    expect(last).not.toContain("Error");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("npm start: a killed program, or nats-server, is restarted within a second at its old address", async () => {
  system = await launchSystem();
  for (const name of ["apps/gateway/", "apps/asr/", "nats-server -c"]) {
    const [old] = system.processes(name);
    if (!old) throw new Error(`${name} does not run`);
    const shown = name.replace(/^apps\/|\/$| -c$/g, "");
    const again = system.awaitLine(new RegExp(`${shown} died \\(SIGKILL\\), restarting in \\d+ ms`));
    const back = system.awaitLine(new RegExp(`${shown} restarted`));
    process.kill(old.pid, "SIGKILL");
    const delay = Number(/in (\d+) ms/.exec(await again)?.[1]);
    expect(delay).toBeLessThan(1_000);
    await back;
    expect(system.processes(name).map((one) => one.pid)).not.toContain(old.pid);
  }
  expect(await Promise.all(system.ota.map(askForUrl))).toEqual(system.devices);
});

test("npm start: a killed launcher leaves no process behind, not even a stopped one", async () => {
  system = await launchSystem();
  const pids = system.processes().map((one) => one.pid);
  const [stopped] = system.processes("apps/tts/");
  if (!stopped) throw new Error("tts does not run");
  process.kill(stopped.pid, "SIGSTOP");
  await system.end("SIGKILL");
  expect(await awaitEnd(pids, 9_000)).toEqual([]);
});

test("npm start: Ctrl-C ends a hanging program too", async () => {
  system = await launchSystem();
  const pids = system.processes().map((one) => one.pid);
  const [stopped] = system.processes("apps/gateway/");
  if (!stopped) throw new Error("no gateway runs");
  process.kill(stopped.pid, "SIGSTOP");
  const { took } = await system.end("SIGINT");
  expect(took).toBeLessThan(5_000);
  expect(await awaitEnd(pids, 0)).toEqual([]);
});

test("npm start: SIGTERM drains and ends all programs", async () => {
  system = await launchSystem();
  const pids = system.processes().map((one) => one.pid);
  const { code } = await system.end("SIGTERM");
  expect(code).toBe(0);
  expect(await awaitEnd(pids, 0)).toEqual([]);
});

test("npm start: a signal to npm alone, even SIGKILL, ends everything", async () => {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    system = await launchSystem({ throughNpm: true });
    const pids = system.processes().map((one) => one.pid);
    await system.end(signal);
    expect(await awaitEnd(pids, 5_000)).toEqual([]);
  }
});

test("npm start: it survives its shell and a reader that is gone, when its output is not a terminal", async () => {
  system = await launchSystem();
  const told = system.awaitLine(/hangup ignored/);
  process.kill(system.pid, "SIGHUP");
  await told;
  system.deafen();
  const [gateway] = system.processes("apps/gateway/");
  if (!gateway) throw new Error("no gateway runs");
  process.kill(gateway.pid, "SIGKILL");
  await vi.waitFor(async () => expect(await askForUrl(system!.ota[0]!)).toBe(system!.devices[0]), { timeout: 10_000 });
  const { code } = await system.end("SIGTERM");
  expect(code).toBe(0);
});

test("npm start: a data folder that cannot be written to is replaced by a temporary one", async () => {
  system = await launchSystem({ env: { VOXBUS_DATA_DIR: "/dev/null/voxbus" } });
  expect(system.output()).toMatch(
    /\/dev\/null\/voxbus cannot be written to \(E\w+\): the data is in .*VOXBUS_DATA_DIR/,
  );
});

test("npm start: it names taken ports with their variables and starts nothing", async () => {
  const servers = [createServer(), createServer()];
  for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
  const [nats, monitor] = servers.map((server) => (server.address() as AddressInfo).port);
  try {
    const ended = spawnSync(process.execPath, [launcher], {
      env: {
        ...process.env,
        ...freePorts,
        VOXBUS_NATS_PORT: String(nats),
        VOXBUS_MONITOR_PORT: String(monitor),
      },
      encoding: "utf8",
    });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toBe(
      `voxbus: port ${nats} is taken: set VOXBUS_NATS_PORT to another one\n` +
        `voxbus: port ${monitor} is taken: set VOXBUS_MONITOR_PORT to another one\n`,
    );
    expect(ended.stdout).toBe("");
  } finally {
    for (const server of servers) server.close();
  }
});

test("npm start: a program with an invalid configuration stops everything, and its error is printed", () => {
  const ended = spawnSync(process.execPath, [launcher], {
    env: {
      ...process.env,
      ...freePorts,
      VOXBUS_LOG_LEVEL: "shouting",
    },
    encoding: "utf8",
  });
  expect(ended.status).toBe(1);
  expect(ended.stdout).toContain("VOXBUS_LOG_LEVEL");
  expect(ended.stderr).toMatch(/voxbus: \S+ could not start \(code 1\)/);
  expect(ended.stdout).toContain("everything stopped");
});

test("npm start: a system of shadows would be mute, and is refused", () => {
  const env = { ...process.env, ...freePorts, VOXBUS_SHADOW: "next" };
  const ended = spawnSync(process.execPath, [launcher], { env, encoding: "utf8" });
  expect([ended.status, ended.stdout]).toEqual([1, ""]);
  expect(ended.stderr).toMatch(/^voxbus: VOXBUS_SHADOW: expected no value\..*\n$/);
});
