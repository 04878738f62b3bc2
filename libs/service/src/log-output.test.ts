import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

// A process cannot run TypeScript on Node 20, so this one uses the built library.
const source = `
  import { run } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
  await run({ name: "bell", opsPort: 0 }, async ({ log, route }) => {
    route("POST /ring", (_request, response) => {
      for (let i = 0; i < 3000; i += 1) log.info({ i, note: "x".repeat(1000) }, "bell rung");
      response.end("rung");
    });
  });`;

/** Runs the program with `stdout`: a pipe that is read by `child.stdout`, or a file. */
async function launch(stdout: "pipe" | number) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const env = { ...Object.fromEntries(own), VOXBUS_LOG_FORMAT: "json" };
  const args = ["--input-type=module", "-e", source];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", stdout, "inherit", "ipc"] });
  children.push(child);
  const [{ addresses }] = (await once(child, "message")) as [{ addresses: { ops: string } }];
  const ask = async (path: string, method = "GET") => (await fetch(addresses.ops + path, { method })).text();
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return (await once(child, "exit"))[0] as number | null;
  };
  return { child, ask, end };
}

async function readDropped(ask: (path: string) => Promise<string>): Promise<number> {
  const found = /^voxbus_process_log_lines_dropped_total\{[^}]*\} (\d+)/m.exec(await ask("/metrics"));
  return Number(found?.[1]);
}

it("log: a reader that stalls stops nothing; lines beyond the limit are counted, and named when it reads again", async () => {
  const { child, ask, end } = await launch("pipe");
  for (let i = 0; i < 3; i += 1) expect(await ask("/ring", "POST")).toBe("rung");
  const dropped = await readDropped(ask);
  expect(dropped).toBeGreaterThan(6000);
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await expect.poll(() => output.length).toBeGreaterThan(1_000_000);
  expect(await end("SIGTERM")).toBe(0);
  expect(output).toContain(`"lines":${dropped},"msg":"log lines dropped"`);
  expect(output).toContain('"msg":"stopped"');
});

it("log: a full disk stops nothing, and its lines are counted", async () => {
  const { ask, end } = await launch(openSync("/dev/full", "w"));
  expect(await ask("/ring", "POST")).toBe("rung");
  expect(await ask("/livez")).toContain("true");
  expect(await readDropped(ask)).toBeGreaterThan(0);
  expect(await end("SIGTERM")).toBe(0);
});

it("log: a reader that is gone stops nothing", async () => {
  const { child, ask, end } = await launch("pipe");
  child.stdout?.destroy();
  for (let i = 0; i < 2; i += 1) expect(await ask("/ring", "POST")).toBe("rung");
  expect(await end("SIGINT")).toBe(0);
});

it("log: a file gets every line, the last one too, and SIGHUP ends a program like SIGTERM", async () => {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-log-"));
  const file = openSync(join(directory, "log"), "w");
  const { ask, end } = await launch(file);
  await ask("/livez");
  expect(await end("SIGHUP")).toBe(0);
  closeSync(file);
  const lines = readFileSync(join(directory, "log"), "utf8");
  expect(lines).toMatch(/"why":"SIGHUP","mode":"drain","msg":"stopping"[^]*"msg":"stopped"/);
  rmSync(directory, { recursive: true });
});
