import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findDebianMirrors } from "./debian.mjs";
import { runCommand, showStep } from "./progress.mjs";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** True if there is a Chromium in a place where the page's tests look for it. */
function hasChromium() {
  const folders = ["/usr/bin", ...(process.env.PATH ?? "").split(delimiter)];
  return folders.some((folder) => names.some((name) => existsSync(join(folder, name))));
}

async function installChromium() {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" } };
  await runCommand("apt-get", ["-q", "update"], options);
  await runCommand("apt-get", ["-q", "-y", "--no-install-recommends", "install", "chromium"], options);
}

/**
 * Provides a Chromium for the page's tests. As root on Debian it installs Debian's package. Resolves with variables for
 * the tests' environment. Without a Chromium it prints a line, and the variables make vitest skip the page's tests.
 */
export async function prepareChromium() {
  if (hasChromium()) return {};
  const mayInstall = process.getuid?.() === 0 && findDebianMirrors().length > 0;
  let reason = "to install it, run as root: apt-get install chromium";
  if (mayInstall) {
    try {
      await showStep("installing Chromium for the page's tests (apt-get install chromium)", installChromium);
      return {};
    } catch (error) {
      reason = error.message;
    }
  }
  process.stdout.write(`skipping the page's tests, no Chromium found: ${reason}\n`);
  return { PAGE_TESTS: "skip" };
}
