import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { startNatsServer, startOnOddHost, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { root } from "../docs/markdown.ts";
import { findDebianCommand } from "../suites/debian-tree.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const run = promisify(execFile);
const units = ["voxbus.target", "voxbus@gateway.service", "voxbus@mcp.service", "voxbus-nats.service"];
/** The exposure that `systemd-analyze security` may find, in tenths. */
const mostExposed = 20;

/** A machine below a folder: install.sh installs into it. */
const machine = mkdtempSync(join(tmpdir(), "voxbus-systemd-"));
const etc = join(machine, "etc/voxbus");
const lib = join(machine, "usr/lib/voxbus");
const unitFolder = join(machine, "usr/lib/systemd/system");
let nats: NatsServer;
let missing: string | undefined;
const analyze = await findDebianCommand({ name: "systemd-analyze", version: ["--version"], package: "systemd" }).catch(
  (error: Error) => {
    missing = error.message;
    return "";
  },
);

/** Runs install.sh. What npm would fetch is not needed here: tests of the image run its command. */
async function install(): Promise<void> {
  const path = `${join(machine, "bin")}${delimiter}${process.env["PATH"]}`;
  const env = { ...process.env, PATH: path, DESTDIR: machine, VOXBUS_NATS_SERVER: process.env["VOXBUS_NATS_SERVER"] };
  await run(`${root}deploy/systemd/install.sh`, { env });
}

beforeAll(async () => {
  nats = await startNatsServer();
  for (const folder of ["bin", "usr/bin"]) mkdirSync(join(machine, folder), { recursive: true });
  for (const program of ["bin/npm", "bin/kill", "usr/bin/node"]) {
    writeFileSync(join(machine, program), "#!/bin/sh\n", { mode: 0o755 });
  }
  await install();
  // The targets of systemd that the units name.
  for (const target of ["basic", "multi-user", "network", "network-online", "shutdown", "sysinit"]) {
    writeFileSync(join(unitFolder, `${target}.target`), "[Unit]\nDescription=of systemd\n");
  }
});
afterAll(async () => {
  await nats?.stop();
  rmSync(machine, { recursive: true, force: true });
});

describe.skipIf(missing !== undefined)(`units ${missing ?? ""}`, () => {
  it("verify: systemd finds nothing wrong with them, as they are installed", async () => {
    const { stdout, stderr } = await run(analyze, ["verify", "--man=no", `--root=${machine}`, ...units]);
    expect(`${stdout}${stderr}`).toBe("");
  });

  it.each(units.slice(1))("%s: it has no more rights than it needs", async (unit) => {
    const options = ["--offline=yes", `--root=${machine}`, "--no-pager", `--threshold=${mostExposed}`];
    await expect(run(analyze, ["security", ...options, unit])).resolves.toHaveProperty("stderr", "");
  });
});

describe("install.sh", () => {
  it("units: the target has every program that npm start runs, and each has the flags that npm start gives it", async () => {
    const { listPrograms } = (await import(`${root}deploy/local/programs.mjs`)) as {
      readonly listPrograms: (options: { readonly gateways: number; readonly env: object }) => readonly {
        readonly program: string;
        readonly main: string;
        readonly flags: readonly string[];
      }[];
    };
    const programs = listPrograms({ gateways: 1, env: {} });
    const target = readFileSync(join(unitFolder, "voxbus.target"), "utf8");
    const wanted = [...target.matchAll(/voxbus@(\w+)\.service/g)].map(([, name]) => name);
    expect(new Set(wanted)).toEqual(new Set(programs.map(({ program }) => program)));
    for (const { program, main, flags } of programs) {
      expect(commandOf(program)).toEqual(["/usr/bin/node", ...flags, main]);
    }
  });

  it("programs: one runs from the installed tree with the installed settings, and so does the command line", async () => {
    const current = join(lib, "current");
    // In place of what npm would install.
    symlinkSync(`${root}node_modules`, join(current, "node_modules"));
    const settings = readFileSync(join(etc, "voxbus.env"), "utf8").match(/^\w+=.*$/gm) ?? [];
    const given = Object.fromEntries(settings.map((line) => line.split("=", 2) as [string, string]));
    const [, ...args] = commandOf("gateway");
    const env = { ...given, VOXBUS_NATS_URL: nats.url, VOXBUS_GATEWAY_PORT: "0", VOXBUS_GATEWAY_OPS_PORT: "0" };
    const gateway = startOnOddHost([process.execPath, ...args], { cwd: current, env });
    await gateway.awaitLine(/"msg":"ready"/);
    expect(await gateway.end("SIGTERM")).toMatchObject({ code: 0 });
    expect(settings).not.toEqual([]);
    const voxbus = join(machine, "usr/bin/voxbus");
    expect((await run(voxbus, ["--help"])).stdout).toContain("voxbus");
    await expect(run(voxbus, ["config", "check", "--env-file", "none"])).rejects.toMatchObject({
      code: 1,
      stderr: "voxbus config: Cannot read none (ENOENT).\n",
    });
  });

  it("NATS: nats-server accepts the installed settings", async () => {
    const { stderr } = await run(join(lib, "current/nats-server"), ["-t", "-c", join(etc, "nats.conf")]);
    expect(stderr).toContain("is valid");
  });

  it("again: it keeps changed settings and the release before, which one link brings back", async () => {
    const [first] = readdirSync(join(lib, "releases"));
    writeFileSync(join(etc, "voxbus.env"), "VOXBUS_LOG_LEVEL=debug\n");
    await installNext();
    expect(readFileSync(join(etc, "voxbus.env"), "utf8")).toBe("VOXBUS_LOG_LEVEL=debug\n");
    const releases = readdirSync(join(lib, "releases")).toSorted();
    expect(releases).toEqual([first, expect.any(String)]);
    expect(readlinkSync(join(lib, "current"))).toBe(`releases/${releases[1]}`);
    expect(statSync(etc).mode & 0o777).toBe(0o750);
  });

  it("after a way back, and an installation that broke off: the release that was in use stays", async () => {
    const [first = ""] = readdirSync(join(lib, "releases")).toSorted();
    rmSync(join(lib, "current"));
    symlinkSync(`releases/${first}`, join(lib, "current"));
    mkdirSync(join(lib, "releases/99990101-000000"));
    await installNext();
    const now = readlinkSync(join(lib, "current"));
    expect(readdirSync(join(lib, "releases")).toSorted()).toEqual([first, now.replace("releases/", "")]);
  });
});

/** Installs once more. A release is named after the second. */
async function installNext(): Promise<void> {
  while (readdirSync(join(lib, "releases")).includes(nameNow()))
    await new Promise((resolve) => setTimeout(resolve, 50));
  await install();
}

/** Gives the command of a program's unit as systemd makes it: of the file and its drop-ins, the last assignment counts. */
function commandOf(program: string): readonly string[] {
  const dropIns = join(unitFolder, `voxbus@${program}.service.d`);
  const files = [
    join(unitFolder, "voxbus@.service"),
    ...(readdirSync(unitFolder).includes(`voxbus@${program}.service.d`)
      ? readdirSync(dropIns).map((name) => join(dropIns, name))
      : []),
  ];
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const flags = [...text.matchAll(/^Environment="?FLAGS=([^"\n]*)/gm)].at(-1)?.[1] ?? "";
  const command = /^ExecStart=(.*)$/m.exec(text)?.[1] ?? "";
  return command.replace("$FLAGS", flags).replaceAll("%i", program).split(" ").filter(Boolean);
}

function nameNow(): string {
  return new Date()
    .toISOString()
    .replaceAll(/[-:]|\..*/g, "")
    .replace("T", "-");
}
