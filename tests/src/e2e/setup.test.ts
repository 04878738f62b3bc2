import { spawn, spawnSync, execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const local = new URL("../../../deploy/local/", import.meta.url);
const load = async (name: string): Promise<unknown> => import(new URL(name, local).href);
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "voxbus-setup-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("set-up: processes take turns, and a dead one does not block the next", async () => {
  const trace = join(directory, "trace");
  mkdirSync(join(directory, ".cache"));
  const dead = spawnSync(process.execPath, ["--version"]).pid;
  writeFileSync(join(directory, ".cache/setup.lock"), String(dead));
  const program = `
    import { appendFileSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    import { runAlone } from ${JSON.stringify(new URL("lock.mjs", local).href)};
    await runAlone(${JSON.stringify(join(directory, ".cache"))}, async () => {
      appendFileSync(${JSON.stringify(trace)}, "in\\n");
      await sleep(50);
      appendFileSync(${JSON.stringify(trace)}, "out\\n");
    }, () => undefined);`;
  const running = [1, 2, 3].map(() => spawn(process.execPath, ["--input-type=module", "-e", program]));
  const codes = await Promise.all(running.map(async (child) => (await once(child, "close"))[0] as number));
  expect(codes).toEqual([0, 0, 0]);
  expect(readFileSync(trace, "utf8")).toBe("in\nout\n".repeat(3));
  expect(existsSync(join(directory, ".cache/setup.lock"))).toBe(false);
});

/** Makes a small checkout: the real set-up, one package, and fakes of the slow tools. */
function makeCheckout(): {
  readonly write: (path: string, text: string) => void;
  readonly calls: () => string[];
  readonly run: (script: string, env?: object) => [number | null, string];
} {
  const write = (path: string, text: string, mode?: number) => {
    mkdirSync(join(directory, path, ".."), { recursive: true });
    writeFileSync(join(directory, path), text, { mode });
  };
  cpSync(fileURLToPath(local), join(directory, "deploy/local"), { recursive: true });
  for (const name of ["apps", "examples", "libs", "tests"]) mkdirSync(join(directory, name));
  for (const name of ["package.json", "nx.json", "tsconfig.json", "tsconfig.base.json", "rolldown.config.mjs"]) {
    write(name, "{}");
  }
  const entry = { "node_modules/one": { version: "1.0.0", integrity: "sha512-one" } };
  write("package-lock.json", JSON.stringify({ packages: { "": {}, ...entry } }));
  for (const name of ["apps/one", "tests"]) write(`${name}/tsconfig.json`, "{}");
  write("apps/one/src/main.ts", "export {};");
  write(
    "npm-cli.js",
    `const { appendFileSync, cpSync, mkdirSync, writeFileSync } = require("node:fs");
appendFileSync("calls", "npm " + process.argv[2] + "\\n");
mkdirSync("node_modules/.bin", { recursive: true });
cpSync("package-lock.json", "node_modules/.package-lock.json");
writeFileSync("node_modules/.bin/nx", 'const fs = require("node:fs");' +
  'fs.appendFileSync("calls", "nx " + process.argv[2] + "\\\\n"); for (const name of ["apps/one", "tests"]) {' +
  'fs.mkdirSync(name + "/dist", { recursive: true }); fs.appendFileSync(name + "/dist/.tsbuildinfo", ""); }');
`,
  );
  write("calls", "");
  write(".cache/nats-server", "#!/bin/sh\n", 0o755);
  return {
    write,
    calls: () => readFileSync(join(directory, "calls"), "utf8").split("\n").filter(Boolean),
    run: (script, env = {}) => {
      const ended = spawnSync(process.execPath, [join(directory, "deploy/local", script)], {
        env: { PATH: "/nowhere", npm_execpath: join(directory, "npm-cli.js"), ...env },
        encoding: "utf8",
      });
      return [ended.status, ended.stderr + ended.stdout];
    },
  };
}

test("set-up: it makes missing parts with a line for each step, and is silent if nothing is missing", () => {
  const { calls, run } = makeCheckout();
  const setUp = () => run("setup.mjs");
  const [code, said] = setUp();
  expect(said).toMatch(
    /^voxbus: installing packages \(npm ci\) … done in [\d.]+ s\nvoxbus: building … done in [\d.]+ s\n$/,
  );
  expect(code).toBe(0);
  expect(calls()).toEqual(["npm ci", "nx run-many"]);

  expect(setUp()).toEqual([0, ""]);
  expect(calls()).toHaveLength(2);

  utimesSync(join(directory, "apps/one/src/main.ts"), 1, 1);
  setUp();
  rmSync(join(directory, "apps/one/dist"), { recursive: true });
  setUp();
  expect(calls().slice(2)).toEqual(["nx run-many", "nx run-many"]);

  const other = { "node_modules/one": { version: "1.0.1", integrity: "sha512-other" } };
  writeFileSync(join(directory, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...other } }));
  setUp();
  expect(calls().slice(4)).toEqual(["npm ci", "nx run-many"]);
});

test("set-up: without a home that can be written to, npm's cache is in the folder", () => {
  const { run } = makeCheckout();
  const spy = `require("node:fs").writeFileSync("cache", process.env.npm_config_cache ?? "");`;
  writeFileSync(join(directory, "npm-cli.js"), spy + readFileSync(join(directory, "npm-cli.js"), "utf8"));
  const [, said] = run("setup.mjs", { HOME: "/dev/null/none" });
  const cache = join(directory, ".cache/npm");
  expect(said).toContain(`/dev/null/none/.npm cannot be written to: npm's cache is in ${cache}\n`);
  expect(readFileSync(join(directory, "cache"), "utf8")).toBe(cache);
});

test("set-up: a step that takes long says how far it is, and whether the registry answers", async () => {
  const { showStep, describeAnswer } = (await load("progress.mjs")) as {
    showStep: (text: string, work: () => Promise<void>, why: () => Promise<string>) => Promise<void>;
    describeAnswer: (address: string) => Promise<string>;
  };
  const { describeInstallation } = (await load("packages.mjs")) as {
    describeInstallation: (root: string, env: object) => Promise<string>;
  };
  makeCheckout();
  const server = createServer((_request, response) => response.end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const why = await describeInstallation(directory, { npm_config_registry: `${origin}/` });
  server.close();
  expect(why).toMatch(/^0 of 1 packages are here, http:\/\/127\.0\.0\.1:\d+ answers in \d+\.\d s$/);
  expect(await describeAnswer(`${origin}/`)).toMatch(/does not answer \(\w+\): check the network/);
  vi.useFakeTimers();
  const said: unknown[] = [];
  const screen = vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(text) > 0);
  try {
    let end = (): void => undefined;
    const step = showStep(
      "installing",
      () => new Promise((resolve) => (end = resolve)),
      async () => why,
    );
    await vi.advanceTimersByTimeAsync(16_000);
    end();
    await step;
  } finally {
    screen.mockRestore();
    vi.useRealTimers();
  }
  expect(said.join("")).toContain(`voxbus: still waiting: ${why}\n`);
});

test("set-up: without a nats-server it stops and names three solutions, unless VOXBUS_NATS_URL is set", () => {
  const { run } = makeCheckout();
  rmSync(join(directory, ".cache/nats-server"));
  const [code, said] = run("setup.mjs", { VOXBUS_OFFLINE: "1" });
  expect(code).toBe(1);
  expect(said).toMatch(/Do one of these: set VOXBUS_NATS_URL .* nats-server >= 2\.11 on PATH; .* Debian's mirror/);
  expect(said).toContain("official release not tried: VOXBUS_OFFLINE=1");
  expect(run("setup.mjs", { VOXBUS_NATS_URL: "nats://127.0.0.1:4222" })[0]).toBe(0);
});

test("start: without packages, or with the build of an older checkout, it stops with a sentence", () => {
  const { run, write } = makeCheckout();
  const hint = "Use npm start, which installs and builds first.";
  const start = () => run("start.mjs");
  expect(start()).toEqual([1, `voxbus: the packages of package-lock.json are not installed. ${hint}\n`]);
  run("setup.mjs");
  const source = join(directory, "apps/one/src/main.ts");
  const at = (seconds: number) => utimesSync(source, seconds, seconds);
  at(Date.now() / 1000 + 60);
  expect(start()).toEqual([1, `voxbus: the build of apps/one is missing or older than its sources. ${hint}\n`]);
  at(Date.now() / 1000 - 60);
  writeFileSync(join(directory, "apps/one/src/main.test.ts"), "");
  utimesSync(join(directory, "apps/one/src/main.test.ts"), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
  writeFileSync(join(directory, "deploy/local/system.mjs"), 'process.stdout.write("started")');
  expect(start()).toEqual([0, "started"]);

  // A joined program holds the libraries.
  writeFileSync(join(directory, "apps/one/package.json"), '{"scripts":{"build":"tsc --build && rolldown -c"}}');
  expect(start()[1]).toContain("the build of apps/one is missing");
  writeFileSync(join(directory, "apps/one/dist/main.js"), "");
  expect(start()).toEqual([0, "started"]);
  mkdirSync(join(directory, "libs/two/src"), { recursive: true });
  mkdirSync(join(directory, "libs/two/dist"));
  for (const file of ["tsconfig.json", "src/index.ts", "dist/.tsbuildinfo"]) write(`libs/two/${file}`, "");
  const later = Date.now() / 1000 + 60;
  for (const file of ["src/index.ts", "dist/.tsbuildinfo"]) utimesSync(join(directory, "libs/two", file), later, later);
  expect(start()[1]).toContain("the build of apps/one is missing or older");
  rmSync(join(directory, "apps/one/dist"), { recursive: true });
  expect(start()[1]).toContain("the build of apps/one is missing");
});

test("npm: every script sets up by itself, because ignore-scripts=true drops the scripts before scripts", () => {
  const path = fileURLToPath(new URL("../../../package.json", import.meta.url));
  const { scripts } = JSON.parse(readFileSync(path, "utf8")) as { scripts: Record<string, string> };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)/.test(name))).toEqual([]);
  for (const name of ["start", "test", "device", "fleet", "voxbus", "docs", "bench"]) {
    expect(scripts[name]).toMatch(/^node deploy\/local\/setup\.mjs && /);
  }
  cpSync(path, join(directory, "package.json"));
  mkdirSync(join(directory, "deploy/local"), { recursive: true });
  for (const name of ["setup", "start"]) {
    writeFileSync(join(directory, `deploy/local/${name}.mjs`), `console.log("${name}", ...process.argv.slice(2))`);
  }
  const env = { ...process.env, npm_config_ignore_scripts: "true" };
  const output = execFileSync("npm", ["start", "--", "--gateways", "2"], { cwd: directory, env, encoding: "utf8" });
  expect(output).toMatch(/\nsetup\nstart --gateways 2\n$/);
});
