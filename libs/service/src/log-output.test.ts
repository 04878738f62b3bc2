import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startOnOddHost, type HostedProgram, type HostOutput } from "@voxbus/testing";
import { afterEach, expect, it } from "vitest";

const programs: HostedProgram[] = [];
afterEach(() => {
  for (const { child } of programs.splice(0)) child.kill("SIGKILL");
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

/** Runs the program with a standard output of its own kind. */
async function launch(stdout: HostOutput) {
  const command = [process.execPath, "--input-type=module", "-e", source];
  const program = startOnOddHost(command, { stdout, channel: true, env: { VOXBUS_LOG_FORMAT: "json" } });
  programs.push(program);
  const { ops } = await program.addresses;
  const ask = async (path: string, method = "GET") => (await fetch(`${ops}${path}`, { method })).text();
  return { ...program, ask };
}

async function readDropped(ask: (path: string) => Promise<string>): Promise<number> {
  const found = /^voxbus_process_log_lines_dropped_total\{[^}]*\} (\d+)/m.exec(await ask("/metrics"));
  return Number(found?.[1]);
}

it("log: a reader that stalls stops nothing; lines beyond the limit are counted, and named when it reads again", async () => {
  const { read, output, ask, end } = await launch("stalled");
  for (let i = 0; i < 3; i += 1) expect(await ask("/ring", "POST")).toBe("rung");
  const dropped = await readDropped(ask);
  expect(dropped).toBeGreaterThan(6000);
  read();
  await expect.poll(() => output().length).toBeGreaterThan(1_000_000);
  expect((await end("SIGTERM")).code).toBe(0);
  expect(output()).toContain(`"lines":${dropped},"msg":"log lines dropped"`);
  expect(output()).toContain('"msg":"stopped"');
});

it("log: a full disk stops nothing, and its lines are counted", async () => {
  const { ask, end } = await launch("full");
  expect(await ask("/ring", "POST")).toBe("rung");
  expect(await ask("/livez")).toContain("true");
  expect(await readDropped(ask)).toBeGreaterThan(0);
  expect((await end("SIGTERM")).code).toBe(0);
});

it.each(["gone", "closed"] as const)("log: an output that is %s stops nothing", async (stdout) => {
  const { ask, end } = await launch(stdout);
  for (let i = 0; i < 2; i += 1) expect(await ask("/ring", "POST")).toBe("rung");
  expect((await end("SIGINT")).code).toBe(0);
});

it("log: a file gets every line, the last one too, and SIGHUP ends a program like SIGTERM", async () => {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-log-"));
  const file = openSync(join(directory, "log"), "w");
  const { ask, end } = await launch(file);
  await ask("/livez");
  expect((await end("SIGHUP")).code).toBe(0);
  closeSync(file);
  const lines = readFileSync(join(directory, "log"), "utf8");
  expect(lines).toMatch(/"why":"SIGHUP","mode":"drain","msg":"stopping"[^]*"msg":"stopped"/);
  rmSync(directory, { recursive: true });
});
