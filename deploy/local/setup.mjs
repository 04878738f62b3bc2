import { fileURLToPath } from "node:url";
import { buildPackages, isBuilt } from "./build.mjs";
import { runAlone } from "./lock.mjs";
import { findInstalledNatsServer, findNatsServer } from "./nats-server.mjs";
import { arePackagesInstalled, describeInstallation, installPackages } from "./packages.mjs";
import { showStep } from "./progress.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const oldestNode = [20, 19];
const advice = {
  EACCES: "Make this folder writable for your user.",
  EROFS: "Move this folder to a disk that can be written to, or set it up before the disk becomes read-only.",
  ENOSPC: "The disk is full: make room.",
};

/** The steps that a checkout needs before its programs run, in order. A step that is done is skipped. */
const steps = [
  {
    isDone: () => arePackagesInstalled(root),
    run: () =>
      showStep(
        "installing packages (npm ci)",
        () => installPackages(root),
        () => describeInstallation(root),
      ),
  },
  {
    isDone: () => !needsNatsServer() || findInstalledNatsServer() !== undefined,
    run: findNatsServer,
  },
  {
    isDone: () => isBuilt(root),
    run: () => showStep("building", () => buildPackages(root)),
  },
];

/** The simulators only talk to a gateway, and with VOXBUS_NATS_URL there is a NATS already. */
function needsNatsServer() {
  const script = process.env.npm_lifecycle_event;
  return !process.env.VOXBUS_NATS_URL && script !== "device" && script !== "fleet";
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    throw new Error(`expected Node ${oldestNode.join(".")} or newer, got ${process.version}`);
  }
}

async function setUp() {
  checkNode();
  if (steps.every((step) => step.isDone())) return;
  const wait = () => process.stderr.write("voxbus: waiting for another set-up of this folder\n");
  await runAlone(
    `${root}.cache`,
    async () => {
      for (const step of steps) if (!step.isDone()) await step.run();
    },
    wait,
  );
}

try {
  await setUp();
} catch (error) {
  process.stderr.write(`voxbus: set-up failed: ${[error.message, advice[error.code]].filter(Boolean).join(". ")}\n`);
  process.exitCode = 1;
}
