import { spawn, spawnSync, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

interface Source {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

const local = new URL("../../../deploy/local/", import.meta.url);
const load = async (name: string): Promise<unknown> => import(new URL(name, local).href);
const { parseSourcesList, parseDeb822Sources, pickDebianMirrors } = (await load("debian.mjs")) as {
  parseSourcesList: (text: string) => Source[];
  parseDeb822Sources: (text: string) => Source[];
  pickDebianMirrors: (sources: readonly Source[], os: { id?: string; codename?: string }) => string[];
};
const { isNewEnough } = (await load("nats-server.mjs")) as { isNewEnough: (text: string) => boolean };
const { nameRelease, unpackRelease } = (await load("release.mjs")) as {
  nameRelease: (platform: string, architecture: string) => { archive: string; checksum: string };
  unpackRelease: (release: { base: string; archive: string; checksum: string; directory: string }) => Promise<string>;
};

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "voxbus-setup-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("nats-server: 2.11 and newer are accepted in every version format", () => {
  for (const version of ["nats-server: v2.11.0", "nats-server: v2.15.1", "nats-server: v2.12.0-RC.3", "v3.0.0"]) {
    expect(isNewEnough(version), version).toBe(true);
  }
  for (const version of ["nats-server: v2.9.10", "nats-server: v2.10.29", "v1.99.0", "", "no version"]) {
    expect(isNewEnough(version), version).toBe(false);
  }
});

test("apt's sources: one-line files give their binary sources without options and comments", () => {
  const text = `# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # the usual
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] https://mirror.example/debian/ bookworm-updates main
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
`;
  expect(parseSourcesList(text)).toEqual([
    { uri: "http://mirror.example/debian", suite: "bookworm", components: ["main", "contrib"] },
    { uri: "https://mirror.example/debian/", suite: "bookworm-updates", components: ["main"] },
  ]);
});

test("apt's sources: deb822 files give all enabled pairs of mirror and suite", () => {
  const text = `Types: deb deb-src
# a comment within
URIs: http://one.example/debian
 http://two.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://sources.example/debian
Suites: trixie
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
`;
  expect(parseDeb822Sources(text).map((one) => `${one.uri} ${one.suite}`)).toEqual([
    "http://one.example/debian trixie",
    "http://one.example/debian trixie-updates",
    "http://two.example/debian trixie",
    "http://two.example/debian trixie-updates",
  ]);
});

test("apt's sources: on Debian its mirror comes first; on Ubuntu there is no Debian mirror", () => {
  const debian = parseSourcesList(`deb http://vendor.example/tools bookworm main
deb http://cache.example/mirrors/debian/ bookworm main
deb http://cache.example/mirrors/debian bookworm-updates main
deb http://other.example/repository stable nightly
`);
  expect(pickDebianMirrors(debian, { id: "debian", codename: "bookworm" })).toEqual([
    "http://cache.example/mirrors/debian",
    "http://vendor.example/tools",
  ]);
  const ubuntu = parseSourcesList("deb http://mirror.example/ubuntu noble main universe\n");
  expect(pickDebianMirrors(ubuntu, { id: "ubuntu", codename: "noble" })).toEqual([]);
});

test("official release: an archive is used only if it has the checksum that stands in the launcher", async () => {
  const archive = "nats-server-v9.9.9-linux-amd64.tar.gz";
  const inside = join(directory, "nats-server-v9.9.9-linux-amd64");
  mkdirSync(inside);
  writeFileSync(join(inside, "nats-server"), "#!/bin/sh\necho nats-server: v9.9.9\n", { mode: 0o755 });
  execFileSync("tar", ["-czf", join(directory, archive), "-C", directory, "nats-server-v9.9.9-linux-amd64"]);
  const bytes = readFileSync(join(directory, archive));
  const right = createHash("sha256").update(bytes).digest("hex");
  const server = createServer((request, response) => {
    if (request.url === `/${archive}`) response.end(bytes);
    else response.writeHead(404).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const into = join(directory, "into");
  mkdirSync(into);
  try {
    const release = { base, archive, checksum: right, directory: into };
    const path = await unpackRelease(release);
    expect(execFileSync(path, { encoding: "utf8" })).toBe("nats-server: v9.9.9\n");
    await expect(unpackRelease({ ...release, checksum: "0".repeat(64) })).rejects.toThrow("expected checksum");
    await expect(unpackRelease({ ...release, base: `${base}/gone` })).rejects.toThrow("status 404");
    for (const [platform, architecture] of [
      ["linux", "x64"],
      ["linux", "arm64"],
      ["darwin", "arm64"],
    ] as const) {
      expect(nameRelease(platform, architecture).checksum).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(() => nameRelease("freebsd", "x64")).toThrow("no checksum");
  } finally {
    server.close();
  }
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
  readonly calls: () => string[];
  readonly run: (script: string, env?: object) => [number | null, string];
} {
  const write = (path: string, text: string, mode?: number) => {
    mkdirSync(join(directory, path, ".."), { recursive: true });
    writeFileSync(join(directory, path), text, { mode });
  };
  cpSync(fileURLToPath(local), join(directory, "deploy/local"), { recursive: true });
  for (const name of ["apps", "examples", "libs", "tests"]) mkdirSync(join(directory, name));
  for (const name of ["package.json", "nx.json", "tsconfig.json", "tsconfig.base.json"]) write(name, "{}");
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
  const { run } = makeCheckout();
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
  rmSync(join(directory, "apps/one/dist"), { recursive: true });
  expect(start()[1]).toContain("the build of apps/one is missing");
});

test("npm: every script sets up by itself, because ignore-scripts=true drops the scripts before scripts", () => {
  const path = fileURLToPath(new URL("../../../package.json", import.meta.url));
  const { scripts } = JSON.parse(readFileSync(path, "utf8")) as { scripts: Record<string, string> };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)/.test(name))).toEqual([]);
  for (const name of ["start", "test", "device", "fleet", "docs", "bench"]) {
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
