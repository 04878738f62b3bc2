import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { runCommand } from "./progress.mjs";

const buildInfo = "dist/.tsbuildinfo";
const bundle = "dist/main.js";
const workspaces = ["apps", "examples", "libs"];

/** True if every package's dist was built from the current sources. Takes milliseconds and runs no build tool. */
export function isBuilt(root) {
  const stamp = join(root, ".cache/built");
  return (
    existsSync(stamp) &&
    readFileSync(stamp, "utf8") === stampSources(root) &&
    listPackages(root).every((path) => existsSync(join(path, "dist"))) &&
    findOldBuild(root) === undefined
  );
}

/** Names a package whose build is missing, or older than a source that is part of it. Undefined if every build is current. */
export function findOldBuild(root) {
  const libraries = newestOf(listPackages(root, ["libs"]).flatMap(listSources));
  const old = listPackages(root, workspaces).find((path) => {
    const newest = newestOf(listSources(path));
    if (isOlder(join(path, buildInfo), newest)) return true;
    // A program holds the libraries.
    return isBundled(path) && isOlder(join(path, bundle), Math.max(newest, libraries));
  });
  return old && relative(root, old);
}

/** True for a program that rolldown.config.mjs joins with its packages. */
function isBundled(path) {
  const manifest = join(path, "package.json");
  return (
    existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).scripts?.build?.includes("rolldown") === true
  );
}

function isOlder(output, time) {
  const built = statSync(output, { throwIfNoEntry: false });
  return built === undefined || built.mtimeMs < time;
}

function newestOf(sources) {
  return Math.max(0, ...sources.map((source) => statSync(source).mtimeMs));
}

function listSources(path) {
  const files = readdirSync(join(path, "src"), { withFileTypes: true, recursive: true }).filter((entry) =>
    entry.isFile(),
  );
  return files
    .filter(({ name }) => !/^test-|\.(test|suite)\.ts$/.test(name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Builds every package whose sources have changed. Throws with the compiler's output if the build fails. */
export async function buildPackages(root) {
  const built = stampSources(root);
  const tool = join(root, "node_modules/.bin/nx");
  const env = { ...process.env, NX_DAEMON: "false", NX_NO_CLOUD: "true", NX_TUI: "false", NX_INTERACTIVE: "false" };
  await runCommand(process.execPath, [tool, "run-many", "-t", "build", "--outputStyle=static"], { cwd: root, env });
  // nx leaves a build that fits the sources as it is, however old.
  const now = new Date();
  for (const path of listPackages(root)) {
    for (const output of isBundled(path) ? [buildInfo, bundle] : [buildInfo]) utimesSync(join(path, output), now, now);
  }
  const stamp = join(root, ".cache/built");
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(`${stamp}.${process.pid}`, built);
  renameSync(`${stamp}.${process.pid}`, stamp);
}

function listPackages(root, folders = [...workspaces, "."]) {
  const inside = folders.flatMap((name) => readdirSync(join(root, name)).map((entry) => join(root, name, entry)));
  return inside.filter((path) => existsSync(join(path, "tsconfig.json")));
}

/** Gives a hash of all sources' paths, times and sizes. Reading their contents would take too long at each start. */
function stampSources(root) {
  const hash = createHash("sha256").update(process.version);
  const add = (path) => {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  };
  const walk = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.name === "dist" || entry.name === "node_modules") continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) add(path);
    }
  };
  for (const name of [
    "package.json",
    "package-lock.json",
    "nx.json",
    "tsconfig.json",
    "tsconfig.base.json",
    "rolldown.config.mjs",
  ]) {
    add(join(root, name));
  }
  for (const path of listPackages(root)) walk(path);
  return hash.digest("hex");
}
