import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";

/** Most bytes that wait for a reader of the output. */
const maxWaitingBytes = 4_194_304;

/** Longest wait for a slow reader of the last lines, ms. */
const endMs = 2000;

/**
 * Prints lines behind the name of their process: `print(name, line)`, and `say(line)` for the launcher itself. Lines that
 * cannot be written are dropped: neither a full disk nor a reader that stalls or is gone stops the system. From
 * `saveLines()` on they go to standard error instead: in `npm start | tee log`, Ctrl-C ends tee before the system. `finish()`
 * resolves when all lines are written, after 2 s at most.
 */
export function createOutput(names) {
  const width = Math.max(...names.map((name) => name.length));
  let dropped = 0;
  let isSaving = false;
  // Each line that fails has its own callback.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const lose = (text) => {
    dropped += 1;
    if (isSaving) process.stderr.write(text);
  };
  const write = (name, line) => {
    const text = `${name.padEnd(width)} | ${line}\n`;
    process.stdout.write(text, (error) => error && lose(text));
  };
  const print = (name, line) => {
    if (process.stdout.writableLength > maxWaitingBytes) {
      dropped += 1;
      return;
    }
    if (dropped > 0) {
      const lines = dropped;
      dropped = 0;
      write("voxbus", `${lines} lines could not be written`);
    }
    write(name, line);
  };
  return {
    print,
    say: (line) => print("voxbus", line),
    saveLines: () => (isSaving = true),
    finish: () =>
      new Promise((resolve) => {
        setTimeout(resolve, endMs);
        process.stdout.write("", () => process.stderr.write("", () => resolve()));
      }),
  };
}

/** Describes the running system: the addresses, with `nats` if it runs one, and commands to try. */
export function describeReady(root, addresses, nats) {
  const gateways = addresses.filter(({ device }) => device !== undefined);
  const monitor = addresses.find((one) => one.monitor !== undefined)?.monitor;
  const fleet = addresses.find((one) => one.fleet !== undefined)?.fleet;
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
    ...(fleet ? [`  MCP      ${fleet}`] : []),
    ...(nats ? [`  NATS     ${nats}`] : []),
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
