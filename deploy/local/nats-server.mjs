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
import { findDebianKeyring, findDebianMirrors, unpackDebianPackages } from "./debian.mjs";
import { describeAnswer, showStep } from "./progress.mjs";
import { nameRelease, unpackRelease } from "./release.mjs";

const cache = fileURLToPath(new URL("../../.cache/", import.meta.url));
const cached = join(cache, "nats-server");
const debianSuites = ["forky", "sid"];

/**
 * Finds a nats-server >= 2.11 and resolves with its absolute path. It tries PATH, the cache, Debian's package and the
 * official release, in this order. The last two are downloaded into the cache. Throws with advice if all of them fail.
 */
export async function findNatsServer() {
  return findInstalledNatsServer() ?? (await fetchNatsServer());
}

/** Finds a nats-server >= 2.11 on PATH or in the cache. Returns its absolute path, or undefined. */
export function findInstalledNatsServer() {
  for (const directory of (process.env.PATH ?? "").split(delimiter).filter(Boolean)) {
    const path = resolve(directory, "nats-server");
    if (isExecutable(path) && isNewEnough(readVersion(path))) return path;
  }
  return existsSync(cached) ? cached : undefined;
}

/** True if the output of `nats-server --version` names 2.11 or newer. */
export function isNewEnough(text) {
  const [, major, minor] = /v?(\d+)\.(\d+)\.\d+/.exec(text) ?? [];
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 11);
}

async function fetchNatsServer() {
  mkdirSync(cache, { recursive: true });
  const failures = [];
  for (const { text, from, unpack } of listWays(failures)) {
    const directory = mkdtempSync(join(cache, "fetching-"));
    try {
      return await showStep(
        text,
        async () => keepServer(await unpack(directory), directory),
        () => describeAnswer(from()),
      );
    } catch (error) {
      failures.push(error.message);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  throw new Error(
    `no nats-server >= 2.11 found on this machine, and the download failed:\n${failures.map((text) => `  - ${text.replaceAll("\n", "\n    ")}`).join("\n")}\n` +
      "Do one of these: set VOXBUS_NATS_URL to a running NATS; put a nats-server >= 2.11 on PATH; or give this machine " +
      "access to Debian's mirror, or to the official releases with VOXBUS_OFFLINE unset.",
  );
}

function listWays(failures) {
  const ways = [];
  const keyring = findDebianKeyring();
  const mirrors = findDebianMirrors();
  if (keyring === undefined || mirrors.length === 0)
    failures.push("no mirror of Debian's archive in this machine's apt configuration");
  else {
    for (const mirror of mirrors) {
      for (const suite of debianSuites) {
        ways.push({
          text: `downloading nats-server from Debian's ${suite} into .cache`,
          from: () => mirror,
          unpack: async (directory) =>
            join(
              await unpackDebianPackages({ names: ["nats-server"], mirror, suite, keyring, directory }),
              "usr/sbin/nats-server",
            ),
        });
      }
    }
  }
  if (process.env.VOXBUS_OFFLINE === "1") failures.push("official release not tried: VOXBUS_OFFLINE=1");
  else {
    ways.push({
      text: "downloading nats-server from its official release into .cache",
      from: () => nameRelease().base,
      unpack: (directory) => unpackRelease({ ...nameRelease(), directory }),
    });
  }
  return ways;
}

/** Moves a downloaded server into the cache in one step, so that the cache never holds a part of one. */
function keepServer(path, directory) {
  const version = readVersion(path);
  if (!isNewEnough(version))
    throw new Error(
      `expected a nats-server >= 2.11, got ${version.trim() || "a file that does not run on this machine"}`,
    );
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
