import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findDebianMirrors } from "./debian.mjs";
import { runCommand, showStep } from "./progress.mjs";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** Whether a Chromium is where the tests of the page look for it. */
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
 * Makes sure of a Chromium for the tests of the page: as root on Debian it installs Debian's own. Resolves with what the
 * tests are to find in their environment; where there is none to be had, they are skipped, and a sentence says so.
 */
export async function prepareChromium() {
  if (hasChromium()) return {};
  const mayInstall = process.getuid?.() === 0 && findDebianMirrors().length > 0;
  let reason = "it can be installed here by root only: apt-get install chromium";
  if (mayInstall) {
    try {
      await showStep("installing Chromium for the tests of the page (apt-get install chromium)", installChromium);
      return {};
    } catch (error) {
      reason = error.message;
    }
  }
  process.stdout.write(`skipped the tests of the page: there is no Chromium; ${reason}\n`);
  return { PAGE_TESTS: "skip" };
}
