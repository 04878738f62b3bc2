import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";

/** Prints lines behind the name of their process: `print(name, line)`, and `say(line)` for the launcher itself. */
export function createOutput(names) {
  const width = Math.max(...names.map((name) => name.length));
  const print = (name, line) => void process.stdout.write(`${name.padEnd(width)} | ${line}\n`);
  return { print, say: (line) => print("voxbus", line) };
}

/** Describes the running system: the addresses, and commands to try. */
export function describeReady(root, addresses) {
  const gateways = addresses.filter(({ device }) => device !== undefined);
  const monitor = addresses.find((one) => one.monitor !== undefined)?.monitor;
  const url = gateways[0].device;
  const option = new URL(url).port === String(defaultPorts.gateway.device) ? "" : ` --url ${url}`;
  const recording = findRecording(root);
  return [
    "",
    "voxbus is ready.",
    "",
    ...gateways.map(({ device }) => `  device   ${device}`),
    ...gateways.map(({ ota }) => `  OTA      ${ota}`),
    `  monitor  ${monitor}`,
    "",
    "Talk to it in a browser, on the monitor's page, or from another terminal:",
    "",
    ...(recording ? [`  npm run device --${option} --wav samples/${recording}`] : []),
    `  npm run device --${option} --text "what time is it"`,
    "",
    "Press Ctrl-C to stop.",
    "\n",
  ].join("\n");
}

function findRecording(root) {
  const samples = join(root, "samples");
  const files = existsSync(samples) ? readdirSync(samples).toSorted() : [];
  return files.find((file) => file.endsWith(".wav"));
}
