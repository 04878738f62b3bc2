import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readBlocks, readPage } from "../docs/markdown.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { startPackageRegistry, type PackageRegistry } from "./package-registry.ts";
import { isMessage, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
const run = promisify(execFile);
// Outside of the repository, so that nothing is found in its node_modules.
const outside = mkdtempSync(join(tmpdir(), "voxbus-install-"));
const folder = (name: string) => join(outside, name);
const tsc = join(root, "node_modules/typescript/bin/tsc");
const packages = ["audio", "bus", "cli", "presence", "protocol", "service", "subscriber", "testing"];
let registry: PackageRegistry;
let tarballs: readonly string[];
let nats: NatsServer;
let system: LaunchedSystem;
const programs: ChildProcess[] = [];

/** Runs npm as on a machine that has only a registry: without its own settings and cache. */
async function runNpm(...args: readonly string[]): Promise<void> {
  const foreign = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const options = [
    "--registry",
    registry.url,
    "--cache",
    folder("cache"),
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
  ];
  await run("npm", [...args, ...options], { cwd: outside, env: Object.fromEntries(foreign) });
}

beforeAll(async () => {
  registry = await startPackageRegistry(join(root, "node_modules"));
  await run(process.execPath, [join(root, "deploy/local/pack.mjs"), "--out", folder("packages")]);
  tarballs = readdirSync(folder("packages")).map((name) => join(folder("packages"), name));
  // As the package's own page says for Node 20.
  const overrides = { "@nats-io/nuid": "2.0.3" };
  writeFileSync(folder("package.json"), JSON.stringify({ type: "module", private: true, overrides }));
  await runNpm("install", ...tarballs, "@types/node");
  nats = await startNatsServer();
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
});
afterAll(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await system?.close();
  await nats?.stop();
  await registry?.close();
  rmSync(outside, { recursive: true, force: true });
});

const readManifest = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, any>;

describe("tarballs", () => {
  test("packages: all are of one version, and need each other in exactly this version", () => {
    const { version } = readManifest(join(root, "package.json"));
    expect(tarballs.map((path) => path.slice(folder("packages/").length))).toEqual(
      packages.map((name) => `voxbus-${name}-${version}.tgz`),
    );
    for (const name of packages) {
      const manifest = readManifest(folder(`node_modules/@voxbus/${name}/package.json`));
      expect(manifest).toMatchObject({
        version,
        license: "Apache-2.0",
        engines: { node: expect.any(String) as string },
        ...(name !== "cli" && { types: "./dist/index.d.ts" }),
      });
      expect(manifest).not.toHaveProperty("private");
      const own = Object.entries<string>(manifest["dependencies"] ?? {}).filter(([one]) => one.startsWith("@voxbus/"));
      expect(own.map(([one, range]) => `${one}@${range}`)).toEqual(own.map(([one]) => `${one}@${version}`));
    }
  });

  test.each(packages)("%s: has its page, its license and its code, and no tests, maps or sources", (name) => {
    const installed = folder(`node_modules/@voxbus/${name}`);
    const files = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes(`${name}/node_modules`))
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    expect(files.filter((file) => !/^(?:LICENSE|README\.md|package\.json|dist\/.*\.(?:js|d\.ts))$/.test(file))).toEqual(
      [],
    );
    expect(files.filter((file) => /\.test\.|\.suite\.|\/test-/.test(file))).toEqual([]);
  });

  test.each(packages)("%s: each link of its page leads to a file that is installed", (name) => {
    const page = folder(`node_modules/@voxbus/${name}/README.md`);
    const links = [...readFileSync(page, "utf8").matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link = ""]) => link);
    const broken = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(dirname(page), link)));
    expect(broken).toEqual([]);
    if (name === "bus") expect(links).toEqual(["../subscriber/README.md", "dist/bus.d.ts"]);
  });

  test("a repository: is named in each manifest when it is given, with the package's folder", async () => {
    const url = "git+https://git.example/voxbus.git";
    const out = folder("with-repository");
    mkdirSync(out);
    writeFileSync(join(out, "notes.txt"), "mine");
    const packed = await run(process.execPath, [
      join(root, "deploy/local/pack.mjs"),
      "--out",
      out,
      "--repository",
      url,
    ]);
    const listed = packed.stdout.split("\n").filter((line) => line.startsWith(out));
    expect(listed.map((path) => basename(path))).toEqual(tarballs.map((path) => basename(path)));
    const tarball = join(
      out,
      readdirSync(out).find((name) => name.startsWith("voxbus-bus-"))!,
    );
    const { stdout } = await run("tar", ["-xzOf", tarball, "package/package.json"]);
    expect(JSON.parse(stdout)).toMatchObject({ repository: { type: "git", url, directory: "libs/bus" } });
  });
});

describe("the command line", () => {
  const bin = folder("node_modules/.bin/voxbus");
  const voxbus = (args: readonly string[], input = "") => {
    const running = run(bin, args, { cwd: outside, env: { PATH: process.env["PATH"], VOXBUS_NATS_URL: nats.url } });
    running.child.stdin?.end(input);
    return running;
  };

  test("prints its help and its version, and checks a message", async () => {
    expect((await voxbus(["--help"])).stdout).toContain("voxbus COMMAND --help");
    expect((await voxbus(["--version"])).stdout.trim()).toBe(readManifest(join(root, "package.json"))["version"]);
    const command = await voxbus(
      ["check", "gateway.g1.command", "--hex", "--json"],
      "82a17601a4626f647981a474797065a5647261696e",
    );
    expect(JSON.parse(command.stdout)).toMatchObject({ message: { body: { type: "drain" } } });
  });

  test("writes a program, and speaks to a device of the system", async () => {
    await voxbus(["new", "kitchen-timer", "--lang", "ts"]);
    expect(readdirSync(folder("kitchen-timer"))).toContain("kitchen-timer.ts");
    const device = await startDevice(system.devices[0]!, "cellar");
    const said = voxbus(["say", "cellar", "Dinner is ready.", "--wait"]);
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "Dinner is ready." }));
    expect((await said).stdout).toBe("spoken by cellar\n");
    await device.end();
  });
});

describe.each(["README.md", "libs/subscriber/README.md"])("the program in %s", (page) => {
  const source = readBlocks(readPage(page), "ts").find(({ text }) => text.includes('name: "doorbell"'))!.text;
  const compile = async (name: string, code: string) => {
    writeFileSync(folder(`${name}.ts`), code);
    const options = ["--module", "nodenext", "--target", "es2023", "--strict", "--types", "node"];
    return run(process.execPath, [tsc, ...options, `${name}.ts`], { cwd: outside });
  };

  test("compiles outside of the repository", async () => {
    await compile("doorbell", source);
  });

  test("with a mistake: does not compile, so the types are really there", async () => {
    const problem = expect.stringContaining("'words' does not exist") as string;
    await expect(compile("mistake", source.replace("frame.body", "frame.words"))).rejects.toMatchObject({
      stdout: problem,
    });
  });

  test("answers a device of the system that npm start starts, and stops in order", async () => {
    const program = spawn(process.execPath, ["doorbell.js"], {
      cwd: outside,
      env: { PATH: process.env["PATH"], VOXBUS_NATS_URL: nats.url },
      stdio: ["ignore", "pipe", "inherit"],
    });
    programs.push(program);
    const ended = once(program, "exit");
    for await (const line of createInterface({ input: program.stdout })) if (line.includes("ready")) break;
    program.stdout.resume();
    const device = await startDevice(system.devices[0]!, "porch");
    await device.do({ do: "text", text: "Please open the door" });
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "The door is open." }));
    await device.end();
    program.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });
});
