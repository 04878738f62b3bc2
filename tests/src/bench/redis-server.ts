import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createConnection } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort } from "@voxbus/testing";
import { unpackDebianProgram } from "../suites/debian-tree.ts";
import { root } from "./child.ts";

/** A redis-server process without persistence. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A redis-server on this machine: the program, and the folder of its libraries if they are not the system's. */
interface Installed {
  readonly path: string;
  readonly libraries: string | undefined;
}

const cached = `${root}.cache/redis`;
const packages = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"];
const startMs = 5000;

/**
 * Starts a redis-server on a free port of 127.0.0.1: the one on PATH, in /usr/bin, or in the cache. With `fetch`, and
 * without one, Debian's package is unpacked into the cache. It ends with this process. Throws an error that tells why it cannot.
 */
export async function startRedisServer({ fetch }: { readonly fetch: boolean }): Promise<RedisServer> {
  const installed = findInstalled() ?? (fetch ? await fetchRedis() : undefined);
  if (!installed) throw new Error("no redis-server on PATH, in /usr/bin, or in .cache/redis");
  const port = await findFreePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = spawn(installed.path, args, { stdio: "ignore", env: envOf(installed) });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    process.off("exit", kill);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    kill();
    await ended;
  };
  try {
    await Promise.race([
      awaitPort(port),
      once(child, "exit").then(() => Promise.reject(new Error("redis-server ended while it started"))),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: child.pid ?? 0, stop };
}

function envOf({ libraries }: Installed): NodeJS.ProcessEnv {
  return { ...process.env, ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) };
}

function findInstalled(): Installed | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin"].filter(Boolean);
  const system = folders.map((folder) => join(folder, "redis-server")).find(existsSync);
  if (system) return { path: system, libraries: undefined };
  return existsSync(cached) ? describeUnpacked(cached) : undefined;
}

/** Describes a redis-server in a tree of unpacked packages. Debian's libraries stand in a folder of their architecture. */
function describeUnpacked(tree: string): Installed {
  const lib = join(tree, "usr/lib");
  const architecture = readdirSync(lib).find((name) => name.endsWith("-linux-gnu")) ?? "";
  return { path: join(tree, "usr/bin/redis-server"), libraries: join(lib, architecture) };
}

/** Unpacks Debian's packages into the cache. */
async function fetchRedis(): Promise<Installed> {
  const probe = (tree: string) => {
    const found = describeUnpacked(tree);
    return { command: [found.path, "--version"], env: envOf(found) };
  };
  try {
    await unpackDebianProgram({ cached, packages, probe });
  } catch (cause) {
    throw new Error(`no redis-server here: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return describeUnpacked(cached);
}

async function awaitPort(port: number): Promise<void> {
  for (const deadline = performance.now() + startMs; ; await sleep(20)) {
    const socket = createConnection(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`redis-server did not open port ${port}`, { cause });
    } finally {
      socket.destroy();
    }
  }
}
