import { fileURLToPath } from "node:url";
import { findOldBuild } from "./build.mjs";
import { arePackagesInstalled } from "./packages.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Names what keeps this checkout from starting. With it, the imports of system.mjs would fail, or old code would run. */
function findProblem() {
  if (!arePackagesInstalled(root)) return "the packages of package-lock.json are not installed";
  const old = findOldBuild(root);
  return old && `the build of ${old} is missing or older than its sources`;
}

const problem = findProblem();
if (problem === undefined) await import("./system.mjs");
else {
  process.stderr.write(`voxbus: ${problem}. Use npm start, which installs and builds first.\n`);
  process.exitCode = 1;
}
