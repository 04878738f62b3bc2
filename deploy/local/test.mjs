import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPackages, isBuilt } from "./build.mjs";
import { prepareChromium } from "./chromium.mjs";
import { runCommand } from "./progress.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const results = join(root, ".cache/test-results.json");
const began = Date.now();

/** Checks that run before the tests. Each counts as one test. */
const checks = {
  "types and build": () => isBuilt(root) || buildPackages(root),
  "lint (oxlint)": () => runTool("oxlint", "--type-aware", "--deny-warnings"),
  "lint (import law, order, exports, dialect, parameters)": () =>
    runCommand(process.execPath, [join(root, "tests/dist/lint/main.js")], { cwd: root }),
  "format (prettier)": () => runTool("prettier", "--check", "."),
  "unused code (knip)": () => runTool("knip", "--strict"),
};

function runTool(name, ...args) {
  return runCommand(process.execPath, [join(root, "node_modules/.bin", name), ...args], { cwd: root });
}

function since(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}

async function runCheck(name, check) {
  const start = Date.now();
  try {
    await check();
    process.stdout.write(`ok      ${name} (${since(start)})\n`);
    return true;
  } catch (error) {
    process.stdout.write(`FAILED  ${name} (${since(start)})\n${error.message}\n`);
    return false;
  }
}

/** Runs vitest, shows its output, and resolves with the numbers of passed and failed tests. */
async function runTests(args) {
  const start = Date.now();
  mkdirSync(join(root, ".cache"), { recursive: true });
  rmSync(results, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const vitest = spawn(process.execPath, [join(root, "node_modules/.bin/vitest"), "run", ...reporters, ...args], {
    cwd: root,
    env: await prepareEnvironment(),
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise((resolve, reject) => vitest.once("error", reject).once("close", resolve));
  const { passed, failed } = countTests();
  process.stdout.write(`${code === 0 ? "ok    " : "FAILED"}  tests (${since(start)})\n`);
  // A file that cannot be loaded, or an error outside a test, fails the run without a failed test.
  return { passed, failed: code === 0 ? failed : Math.max(failed, 1) };
}

function countTests() {
  if (!existsSync(results)) return { passed: 0, failed: 0 };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(results, "utf8"));
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.length,
  );
  return { passed: numPassedTests, failed: numFailedTests + unloaded.length };
}

/** Removes the variables that the shell sets for `npm start`: the tests start programs of their own. */
async function prepareEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_") || name === "VOXBUS_OFFLINE");
  const wantsPage = args.length === 0 || args.some((arg) => arg.includes("page"));
  const page = wantsPage ? await prepareChromium() : {};
  return { ...Object.fromEntries(kept), ...page };
}

let passed = 0;
let failed = 0;
const args = process.argv.slice(2);
if (args.length === 0) {
  for (const [name, check] of Object.entries(checks)) {
    if (await runCheck(name, check)) passed++;
    else failed++;
  }
}
const tests = await runTests(args);
passed += tests.passed;
failed += tests.failed;
process.stdout.write(`${since(began)} in total\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
