import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { defaultPorts } from "@voxbus/protocol";
import { findFreePort, startNatsServer, startOnOddHost, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { root } from "../docs/markdown.ts";
import { isInstalled, performDockerfile, readIgnored, type Image } from "./dockerfile.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 600_000 });

const run = promisify(execFile);
const { nats: _nats, ...ports } = defaultPorts;
const programs = Object.keys(ports);
const isRoot = process.getuid?.() === 0;
const hasTini = isInstalled("tini");
const canIsolate = spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0;
// Outside of the repository, so that nothing is found in its node_modules.
const outside = mkdtempSync(join(tmpdir(), "voxbus-image-"));
let image: Image;
let nats: NatsServer;

beforeAll(async () => {
  chmodSync(outside, 0o755);
  nats = await startNatsServer();
  image = await performDockerfile(`${root}deploy/compose/Dockerfile`, { context: root, folder: outside });
  await run("chmod", ["-R", "a-w", image.folder]);
});
afterAll(async () => {
  await nats?.stop();
  await run("chmod", ["-R", "u+w", outside]);
  rmSync(outside, { recursive: true, force: true });
});

/** Gives the variables of a container: nothing of this machine but PATH, and no place for temporary files. */
function describeContainer(program: string, variables: Readonly<Record<string, string>>): readonly string[] {
  const env = {
    PATH: process.env["PATH"] ?? "",
    TMPDIR: "/nonexistent",
    ...image.env,
    PROGRAM: program,
    VOXBUS_NATS_URL: nats.url,
    ...variables,
  };
  return ["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
}

describe("context", () => {
  test.each([".env", ".env.local", "deploy/compose/.env", "apps/gateway/.env", "libs/bus/src/.env.production"])(
    "%s: it is never copied",
    (path) => {
      const isIgnored = readIgnored(readFileSync(`${root}.dockerignore`, "utf8"));
      expect(isIgnored(path)).toBe(true);
      expect(isIgnored("apps/gateway/src/main.ts")).toBe(false);
    },
  );
});

describe("image", () => {
  test("programs: each has what was built, without sources, types and development tools", () => {
    for (const program of programs) expect(readdirSync(join(image.folder, "apps", program))).not.toContain("src");
    for (const tool of ["typescript", "vitest", "nx", "vite"]) {
      expect([tool, existsSync(join(image.folder, "node_modules", tool))]).toEqual([tool, false]);
    }
    const files = readdirSync(image.folder, { recursive: true }).map(String);
    expect(files.filter((file) => /\.(?:map|d\.[mc]?ts)$|^(?!node_modules).*\.test\.js$/.test(file))).toEqual([]);
    expect(files).toContain("apps/monitor/dist/page/index.html");
  });

  test("user: it is a number other than root's", () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test("system: it has what the image starts", () => {
    expect(image.entrypoint).toEqual(["tini", "--"]);
    expect(image.system.join("\n")).toMatch(/install .*\btini\b/);
  });
});

describe.concurrent.each(programs)("%s", (program) => {
  test("container: it starts read-only as another user without HOME, is healthy, and ends with SIGTERM", async ({
    expect,
  }) => {
    const port = await findFreePort();
    const upper = program.toUpperCase();
    const variables = describeContainer(program, {
      [`VOXBUS_${upper}_OPS_PORT`]: String(port),
      ...(program === "gateway" && { VOXBUS_GATEWAY_PORT: "0" }),
      ...(program === "monitor" && { VOXBUS_MONITOR_PORT: "0" }),
      ...(program === "mcp" && { VOXBUS_MCP_PORT: "0", VOXBUS_MCP_TOKEN: "a-token-for-tests" }),
    });
    const check = () => run(variables[0]!, [...variables.slice(1), ...image.healthCheck], { cwd: image.folder });
    const started = startOnOddHost([...variables, ...(hasTini ? image.entrypoint : []), ...image.command], {
      cwd: image.folder,
      unprivileged: isRoot,
    });
    try {
      await started.awaitLine(/"msg":"ready"/);
      await check();
      const { code } = await started.end("SIGTERM");
      expect([code, started.output()]).toEqual([0, expect.not.stringMatching(/EROFS|EACCES|ENOENT/)]);
      await expect(check()).rejects.toThrow();
    } finally {
      started.child.kill("SIGKILL");
    }
  });
});

test("PROGRAM: without it the container names it", async () => {
  const env = describeContainer("", {});
  const [file = "", ...args] = [...env, ...image.command];
  await expect(run(file, args, { cwd: image.folder })).rejects.toThrow(/PROGRAM: is unset/);
});

test.skipIf(!hasTini || !canIsolate)(
  "process 1: it passes a signal on to a program that does not handle it",
  async () => {
    const program = ["sh", "-c", "echo began; exec sleep 60"];
    const isolated = ["unshare", "--pid", "--fork", "--kill-child", "--", ...image.entrypoint, ...program];
    const started = startOnOddHost(isolated);
    try {
      await started.awaitLine(/began/);
      const [first = ""] = readFileSync(`/proc/${started.pid}/task/${started.pid}/children`, "utf8").split(" ");
      process.kill(Number(first), "SIGTERM");
      expect(await started.ended).toBe(143);
    } finally {
      started.child.kill("SIGKILL");
    }
  },
);
