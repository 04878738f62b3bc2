import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

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
  const options = { cwd: root, env: { ...process.env, NX_DAEMON: "false" } };
  await runCommand(command, [...first, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"], options);
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
