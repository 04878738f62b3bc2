import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findDebianKeyring, findDebianMirrors, unpackDebianPackage } from "./debian.mjs";
import { showStep } from "./progress.mjs";
import { nameRelease, unpackRelease } from "./release.mjs";

const cache = fileURLToPath(new URL("../../.cache/", import.meta.url));
const cached = join(cache, "nats-server");
const debianSuites = ["forky", "sid"];

/**
 * The absolute path of a nats-server >= 2.11: the one on PATH, the cached one, Debian's or the official release, in this
 * order; the last two are fetched into the cache. Throws with the ways out when none can be had.
 */
export async function findNatsServer() {
  return findInstalledNatsServer() ?? (await fetchNatsServer());
}

/** The absolute path of a nats-server >= 2.11 that is already here, on PATH or in the cache; undefined without one. */
export function findInstalledNatsServer() {
  for (const directory of (process.env.PATH ?? "").split(delimiter).filter(Boolean)) {
    const path = resolve(directory, "nats-server");
    if (isExecutable(path) && isNewEnough(readVersion(path))) return path;
  }
  return existsSync(cached) ? cached : undefined;
}

/** Whether the text that `nats-server --version` prints names 2.11 or newer. */
export function isNewEnough(text) {
  const [, major, minor] = /v?(\d+)\.(\d+)\.\d+/.exec(text) ?? [];
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 11);
}

async function fetchNatsServer() {
  mkdirSync(cache, { recursive: true });
  const failures = [];
  for (const { text, unpack } of listWays(failures)) {
    const directory = mkdtempSync(join(cache, "fetching-"));
    try {
      return await showStep(text, async () => keepServer(await unpack(directory), directory));
    } catch (error) {
      failures.push(error.message);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  throw new Error(
    `there is no nats-server >= 2.11 on this machine, and none could be fetched:\n${failures.map((text) => `  - ${text.replaceAll("\n", "\n    ")}`).join("\n")}\n` +
      "Three ways out: set VOXBUS_NATS_URL to a NATS that runs already; put a nats-server >= 2.11 on PATH; or let this " +
      "machine reach Debian's mirror, or the official releases with VOXBUS_OFFLINE unset.",
  );
}

function listWays(failures) {
  const ways = [];
  const keyring = findDebianKeyring();
  const mirrors = findDebianMirrors();
  if (keyring === undefined || mirrors.length === 0) failures.push("apt here knows no mirror of Debian's archive");
  else {
    for (const mirror of mirrors) {
      for (const suite of debianSuites) {
        ways.push({
          text: `fetching Debian's nats-server (${suite}, from apt's mirror) into .cache`,
          unpack: async (directory) =>
            join(
              await unpackDebianPackage({ name: "nats-server", mirror, suite, keyring, directory }),
              "usr/sbin/nats-server",
            ),
        });
      }
    }
  }
  if (process.env.VOXBUS_OFFLINE === "1") failures.push("the official release was not tried: VOXBUS_OFFLINE=1");
  else {
    ways.push({
      text: "downloading the official nats-server release into .cache",
      unpack: (directory) => unpackRelease({ ...nameRelease(), directory }),
    });
  }
  return ways;
}

/** Puts a fetched server into the cache in one step, so that whoever looks there finds a whole one or none. */
function keepServer(path, directory) {
  const version = readVersion(path);
  if (!isNewEnough(version)) throw new Error(`what came is ${version || "no nats-server that runs here"}`);
  const whole = join(directory, "nats-server.whole");
  copyFileSync(path, whole);
  renameSync(whole, cached);
  return cached;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readVersion(path) {
  try {
    return execFileSync(path, ["--version"], { encoding: "utf8", timeout: 5_000, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${await findNatsServer()}\n`);
  } catch (error) {
    process.stderr.write(`voxbus: ${error.message}\n`);
    process.exitCode = 1;
  }
}
