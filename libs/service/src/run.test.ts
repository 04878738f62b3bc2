import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const directory = mkdtempSync(join(tmpdir(), "voxbus-run-"));
const main = join(directory, "main.mjs");
const children: ChildProcess[] = [];

// A process cannot run TypeScript on Node 20, so this one uses the built library.
beforeAll(() => {
  const library = new URL("../dist/index.js", import.meta.url).href;
  writeFileSync(
    main,
    `import { EventEmitter } from "node:events";
     import { run, port } from ${JSON.stringify(library)};
     await run({ name: "bell", opsPort: 0, config: { VOXBUS_BELL_PORT: port.default(1).describe("port of the bell") } },
       async ({ log, defer, config, fail }) => {
         defer((mode) => log.info({ mode }, "undone"));
         log.info({ transcript: "a secret", turn: { transcript: "another secret", origin: 4 } }, "heard");
         const errors = {
           timer: () => { throw new Error("cracked"); },
           "no Error": () => { throw "cracked"; },
           undefined: () => { throw undefined; },
           promise: () => { Promise.reject(new Error("cracked")); },
           emitter: () => { new EventEmitter().emit("error", new Error("cracked")); },
         };
         const crash = errors[process.env.BELL_CRASHES];
         if (crash) setInterval(crash, 10);
         if (process.env.BELL_BREAKS) setInterval(() => { for (let i = 0; i < 200; i += 1) setTimeout(errors.timer); }, 1);
         if (process.env.BELL_FAILS) setTimeout(() => fail(new Error("two bells ring")), 10);
         if (process.env.BELL_HANGS) defer(() => new Promise((resolve) => setTimeout(resolve, 60_000)));
         return { bell: "ring://" + config.VOXBUS_BELL_PORT };
       });`,
  );
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

function launch(env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const child = fork(main, [...args], {
    env: { ...Object.fromEntries(own), VOXBUS_LOG_FORMAT: "json", ...env },
    execArgv: [],
    silent: true,
  });
  children.push(child);
  let output = "";
  let errors = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const gone = [once(child, "exit"), once(child.stdout ?? child, "end"), once(child.stderr ?? child, "end")];
  const ended = Promise.all(gone).then(([exit]) => ({ code: exit?.[0] as number | null, output, errors }));
  const ready = once(child, "message").then(([message]) => message as { addresses: Record<string, string> });
  return { child, ended, ready };
}
const messages = (output: string) =>
  output.split("\n").flatMap((line) => (line ? [JSON.parse(line) as Record<string, unknown>] : []));

describe("run", () => {
  it("--help: prints every variable and ends", async () => {
    const { code, output } = await launch({}, ["--help"]).ended;
    expect(code).toBe(0);
    for (const name of ["VOXBUS_BELL_PORT [1]", "VOXBUS_BELL_OPS_PORT [0]", "VOXBUS_LOG_LEVEL"]) {
      expect(output).toContain(name);
    }
  });

  it("a bad configuration: every problem on a line of its own, exit 1", async () => {
    const { code, errors } = await launch({ VOXBUS_BELL_PORT: "x", VOXBUS_LOG_LEVEL: "loud" }).ended;
    expect(code).toBe(1);
    const lines = errors.trim().split("\n").toSorted();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^voxbus bell: VOXBUS_BELL_PORT: /);
    expect(lines[1]).toMatch(/^voxbus bell: VOXBUS_LOG_LEVEL: /);
  });

  it("an unknown variable: is reported by name", async () => {
    const { child, ready, ended } = launch({ VOXBUS_BEL_PORT: "5" });
    await ready;
    child.kill("SIGINT");
    const { output } = await ended;
    expect(messages(output)).toContainEqual(expect.objectContaining({ variables: ["VOXBUS_BEL_PORT"] }));
  });

  it.each([
    ["SIGTERM", "drain"],
    ["SIGINT", "quick"],
  ] as const)("%s: undoes in mode %s and exits 0", async (signal, mode) => {
    const { child, ready, ended } = launch({ VOXBUS_BELL_PORT: "7" });
    const { addresses } = await ready;
    expect(addresses["bell"]).toBe("ring://7");
    child.kill(signal);
    const { code, output } = await ended;
    expect(code).toBe(0);
    const log = messages(output);
    expect(log).toContainEqual(expect.objectContaining({ msg: "ready", bell: "ring://7", ops: addresses["ops"] }));
    expect(log).toContainEqual(expect.objectContaining({ msg: "undone", mode }));
  });

  it.each([false, true])(
    "POST /pre-stop: is answered, then the process exits 0 (SIGTERM follows: %s)",
    async (signals) => {
      const { child, ready, ended } = launch();
      const { addresses } = await ready;
      const answer = await fetch(`${addresses["ops"]}/pre-stop`, { method: "POST" });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ drained: true });
      if (signals) child.kill("SIGTERM");
      const { code, output } = await ended;
      expect(code).toBe(0);
      expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "undone", mode: "drain" }));
    },
  );

  it("POST /pre-stop: the process ends also if the client does not wait", async () => {
    const { ready, ended } = launch();
    const { addresses } = await ready;
    const url = `${addresses["ops"]}/pre-stop`;
    await expect(fetch(url, { method: "POST", signal: AbortSignal.timeout(1) })).rejects.toThrow();
    await fetch(url, { method: "POST" });
    expect((await ended).code).toBe(0);
  });

  it("transcripts: are left out of the log", async () => {
    const { child, ready, ended } = launch();
    await ready;
    child.kill("SIGINT");
    const { output } = await ended;
    expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "heard", turn: { origin: 4 } }));
    expect(output).not.toContain("secret");
  });

  it("the end of the launcher: stops the program as SIGINT does", async () => {
    const { child, ready, ended } = launch();
    await ready;
    child.disconnect();
    const { code, output } = await ended;
    expect(code).toBe(0);
    expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "undone", mode: "quick" }));
  });

  it("the end of the launcher while the program loads: ends it", async () => {
    const { child, ended } = launch();
    child.disconnect();
    expect((await ended).code).toBe(0);
  });

  it("a quick stop that hangs: the process ends within 5 s nevertheless", async () => {
    const { child, ready, ended } = launch({ BELL_HANGS: "1" });
    await ready;
    const began = performance.now();
    child.kill("SIGINT");
    const { code } = await ended;
    expect(code).toBe(1);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it.each(["timer", "no Error", "undefined", "promise", "emitter"])(
    "an unexpected error (%s): is counted and logged, and the program goes on",
    async (kind) => {
      const { child, ready, ended } = launch({ BELL_CRASHES: kind });
      const { addresses } = await ready;
      await vi.waitFor(async () => {
        const metrics = await (await fetch(`${addresses["ops"]}/metrics`)).text();
        expect(metrics).toMatch(/voxbus_process_unexpected_errors_total\{[^}]*\} [1-9]\d/);
      }, 5000);
      child.kill("SIGTERM");
      const { code, output } = await ended;
      expect(code).toBe(0);
      expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "unexpected error", level: 50 }));
    },
  );

  it("a program that fails: is undone in mode quick, logs the reason, and exits with code 78", async () => {
    const { code, output } = await launch({ BELL_FAILS: "1" }).ended;
    expect(code).toBe(78);
    const err = expect.objectContaining({ message: "two bells ring" }) as object;
    expect(messages(output)).toContainEqual(expect.objectContaining({ level: 60, msg: "program failed, ending", err }));
    expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "undone", mode: "quick" }));
  });

  it("unexpected errors without end: more than 1000 in a minute end the process with code 1", async () => {
    const { code, output } = await launch({ BELL_BREAKS: "1" }).ended;
    expect(code).toBe(1);
    expect(messages(output)).toContainEqual(expect.objectContaining({ msg: "too many unexpected errors, ending" }));
    expect(messages(output).length).toBeLessThan(20);
  });
});
