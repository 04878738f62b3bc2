import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { describeAnswer, runCommand } from "./progress.mjs";

/** True if node_modules holds exactly the packages of package-lock.json, optional ones aside. */
export function arePackagesInstalled(root) {
  const locked = readPackages(join(root, "package-lock.json"));
  // npm writes this file last, so it is missing after an interrupted installation.
  const installed = readPackages(join(root, "node_modules/.package-lock.json"));
  if (locked === undefined || installed === undefined) return false;
  for (const [path, entry] of locked) {
    const found = installed.get(path);
    if (found === undefined ? !entry.optional && !entry.devOptional : !isSame(entry, found)) return false;
  }
  return [...installed.keys()].every((path) => locked.has(path));
}

/** Installs the packages of package-lock.json, development tools included. Runs no install scripts. */
export async function installPackages(root) {
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith("npm-cli.js") ? [process.execPath, [npm]] : ["npm", []];
  const options = { cwd: root, env: { ...process.env, ...chooseCache(root), NX_DAEMON: "false" } };
  await runCommand(command, [...first, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"], options);
}

/** Gives npm a cache in this folder if its own one cannot be written to, as for a user without a home. */
export function chooseCache(root, env = process.env) {
  const usual = env.npm_config_cache || join(homedir(), ".npm");
  if (isWritable(usual)) return {};
  const cache = join(root, ".cache/npm");
  process.stderr.write(`voxbus: ${usual} cannot be written to: npm's cache is in ${cache}\n`);
  return { npm_config_cache: cache, npm_config_logs_dir: join(cache, "_logs") };
}

/** True if a folder can be written to, or made. */
function isWritable(folder) {
  try {
    const existing = existingOf(folder);
    accessSync(existing, constants.W_OK);
    return statSync(existing).isDirectory();
  } catch {
    return false;
  }
}

function existingOf(folder) {
  return existsSync(folder) || dirname(folder) === folder ? folder : existingOf(dirname(folder));
}

/** Tells how far an installation is, and whether the registry answers, for one that takes long. */
export async function describeInstallation(root, env = process.env) {
  const paths = [...(readPackages(join(root, "package-lock.json"))?.keys() ?? [])];
  const here = paths.filter((path) => existsSync(join(root, path))).length;
  const registry = env.npm_config_registry;
  const answer = registry === undefined ? "" : `, ${await describeAnswer(registry)}`;
  return `${here} of ${paths.length} packages are here${answer}`;
}

function readPackages(path) {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  return new Map(Object.entries(JSON.parse(text).packages).filter(([name]) => name.includes("node_modules/")));
}

function isSame(entry, found) {
  return entry.version === found.version && entry.integrity === found.integrity && entry.link === found.link;
}
