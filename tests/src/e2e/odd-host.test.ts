import { statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import {
  findFreePort,
  greetAsNats,
  startGreeter,
  startOnOddHost,
  type Greeter,
  type HostedProgram,
} from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { freePorts, launchSystem, type LaunchedSystem } from "./launcher.ts";
import { awaitEnd, listDescendants } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
let old: Greeter;
let plain: Greeter;
const programs: HostedProgram[] = [];
let system: LaunchedSystem | undefined;

beforeAll(async () => {
  old = await startGreeter(greetAsNats({ version: "2.9.10" }));
  plain = await startGreeter(greetAsNats());
});
afterEach(async () => {
  await system?.close();
  system = undefined;
});
afterAll(async () => {
  for (const { child } of programs) child.kill("SIGKILL");
  old.close();
  plain.close();
});

/** Starts a program alone, and resolves with what it printed when it has ended by itself. */
async function startToFail(program: string, env: Readonly<Record<string, string>>) {
  const started = startOnOddHost([process.execPath, `apps/${program}/dist/main.js`], {
    cwd: root,
    env: { ...freePorts, VOXBUS_LOG_FORMAT: "json", ...env },
  });
  programs.push(started);
  const code = await started.ended;
  return {
    code,
    said: started
      .output()
      .split("\n")
      .filter((line) => line.startsWith("voxbus")),
    all: started.output(),
  };
}

test.concurrent.each<[string, string, () => Readonly<Record<string, string>>, RegExp]>([
  [
    "an old nats-server",
    "tts",
    () => ({ VOXBUS_NATS_URL: `nats://u:s3cret@127.0.0.1:${old.port}` }),
    /2\.11 or newer$/,
  ],
  [
    "a tls:// URL for a server without TLS",
    "tts",
    () => ({ VOXBUS_NATS_URL: `tls://s3cret@127.0.0.1:${plain.port}` }),
    /it has no TLS/,
  ],
  [
    "a typo in the URLs",
    "asr",
    () => ({ VOXBUS_NATS_URL: "nats://u:s3cret@127.0.0.1:99999" }),
    /VOXBUS_NATS_URL: .* port/,
  ],
  [
    "an operations host that is a URL",
    "monitor",
    () => ({ VOXBUS_OPS_HOST: "http://127.0.0.1" }),
    /set VOXBUS_OPS_HOST to one/,
  ],
  [
    "a model's URL without http://",
    "dialogue",
    () => ({ VOXBUS_LLM_URL: "localhost:11434/v1" }),
    /VOXBUS_LLM_URL: .* http:\/\//,
  ],
])("%s: the program ends within seconds with one sentence", async (_, program, env, sentence) => {
  const { code, said, all } = await startToFail(program, env());
  expect(code).toBe(1);
  expect(said).toEqual([expect.stringMatching(sentence)]);
  expect(all).not.toMatch(/^ +at /m);
  expect(all).not.toContain("s3cret");
});

test("npm start under nohup, with a full disk under its log: it survives a hangup, and SIGTERM ends all of it", async () => {
  const port = await findFreePort();
  const { child, pid } = startOnOddHost([process.execPath, "deploy/local/start.mjs"], {
    cwd: root,
    nohup: true,
    stdout: "full",
    env: { ...freePorts, VOXBUS_GATEWAY_PORT: String(port) },
  });
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/xiaozhi/ota/`)).status;
  await vi.waitFor(async () => expect(await ask()).toBe(200), { timeout: 30_000 });
  const pids = listDescendants(pid).map((one) => one.pid);
  expect(pids.length).toBeGreaterThan(5);
  child.kill("SIGHUP");
  expect(await ask()).toBe(200);
  child.kill("SIGTERM");
  expect(await awaitEnd([pid, ...pids], 30_000)).toEqual([]);
});

/** Tells whether every user can read a folder. */
function isOpen(path: string): boolean {
  return (statSync(path).mode & 5) === 5 && (path === "/" || isOpen(dirname(path)));
}

test.runIf(process.getuid?.() === 0 && isOpen(root))(
  "npm start in a folder that its user cannot write to: it runs",
  async () => {
    system = await launchSystem({ host: { unprivileged: true } });
    expect(system.output()).toMatch(/cannot be written to \(EACCES\): the data is in/);
    expect((await fetch(system.ota[0]!)).status).toBe(200);
  },
);
