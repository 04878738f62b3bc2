import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defaultPorts } from "@voxbus/protocol";
import { createLauncher } from "./launcher.mjs";
import { createOutput, describeReady } from "./output.mjs";
import { probePorts, readPort } from "./ports.mjs";
import { listPrograms } from "./programs.mjs";
import { describeRunning, findRunning, noteRunning, RunningError, runningCode } from "./running.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = `${root}.cache`;
const defaultTraces = "http://127.0.0.1:4318";
const reminderMs = 15_000;

const help = `npm start -- [--gateways N] [--traces] [--help]

Runs the whole system on this machine: nats-server, N gateways (default 1), asr, tts, dialogue, tools and monitor, and
mcp if it has something to do. Each is a separate process, which is restarted if it dies. Ctrl-C stops everything within
5 s. SIGTERM stops it within 30 s, so that replies can finish. If a system of this folder has the ports already, the exit code
is ${runningCode}.

  VOXBUS_NATS_URL      URL of a NATS that already runs; unset: npm start runs its own nats-server
  VOXBUS_NATS_PORT     port of its own nats-server on 127.0.0.1 [${defaultPorts.nats}]; 0: any free port and a temporary store
  VOXBUS_DATA_DIR      folder of its nats-server's data [.data]
  VOXBUS_GATEWAY_PORT  port of the first gateway [${defaultPorts.gateway.device}]; further gateways take the next ports
  VOXBUS_MONITOR_PORT  port of the monitor [${defaultPorts.monitor.http}]
  VOXBUS_MCP_FILE      file of MCP servers whose tools the devices are offered; unset: none
  VOXBUS_MCP_PORT      port on which assistants reach the devices by MCP; unset: none

--traces sends the traces of turns to ${defaultTraces}, the OTLP port of Jaeger, or to the address in
OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.

Every program gets all variables. To list those of one program: node apps/<name>/dist/main.js --help
`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      gateways: { type: "string", default: "1" },
      traces: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (/^[1-9]\d?$/.test(values.gateways)) return { ...values, gateways: Number(values.gateways) };
  throw new Error(`--gateways: expected a number from 1 to 99, got ${values.gateways}`);
}

function stopOnSignals(launcher, say) {
  process.on("SIGINT", () => launcher.stop("SIGINT", "Ctrl-C"));
  process.on("SIGTERM", () => launcher.stop("SIGTERM", "SIGTERM"));
  let watch;
  process.on("SIGHUP", () => {
    if (process.stdout.isTTY || process.stderr.isTTY) {
      launcher.stop("SIGTERM", "the terminal was closed");
      return;
    }
    // Started under nohup, or the like. Node does not keep a signal ignored, so npm ends here. The system goes on.
    clearInterval(watch);
    say("hangup ignored: the output is not a terminal");
  });
  if (process.env.npm_lifecycle_event !== "start") return;
  const parent = process.ppid;
  watch = setInterval(() => process.ppid === parent || launcher.stop("SIGINT", "npm ended"), 500).unref();
}

/** Gives the variables that all programs share. */
function shareVariables(url, traces, say) {
  const format = process.env.VOXBUS_LOG_FORMAT || (process.stdout.isTTY ? "pretty" : "json");
  const shared = { VOXBUS_NATS_URL: url, VOXBUS_LOG_FORMAT: format };
  if (!traces) return shared;
  const given = process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!given) say(`sending traces to ${defaultTraces}`);
  return given ? shared : { ...shared, OTEL_EXPORTER_OTLP_ENDPOINT: defaultTraces };
}

/** Starts the programs and resolves with their addresses when all are ready. Names those that take long. */
async function startPrograms(launcher, list, shared, say) {
  const waiting = new Set(list.map(({ name }) => name));
  const reminder = setInterval(() => say(`still waiting for ${[...waiting].join(", ")}`), reminderMs);
  const startOne = async (program) => {
    const addresses = await launcher.startProgram(program, shared).ready;
    waiting.delete(program.name);
    return addresses;
  };
  try {
    return await Promise.all(list.map(startOne));
  } finally {
    clearInterval(reminder);
  }
}

/** Checks that the ports are free. Throws RunningError if a system of this folder has one of them. */
async function takePorts(wanted) {
  try {
    return await probePorts(wanted);
  } catch (error) {
    const running = findRunning(
      cache,
      wanted.map(({ port }) => port),
    );
    throw running === undefined ? error : new RunningError(describeRunning(running), { cause: error });
  }
}

async function start({ gateways, traces }) {
  if (process.env.VOXBUS_SHADOW)
    throw new Error(
      "VOXBUS_SHADOW: expected no value. A shadow is started beside the system (docs/operations.md, a shadow)",
    );
  const list = listPrograms({ gateways, env: process.env });
  const given = process.env.VOXBUS_NATS_URL;
  const nats = {
    variable: "VOXBUS_NATS_PORT",
    host: "127.0.0.1",
    port: readPort(process.env, "VOXBUS_NATS_PORT", defaultPorts.nats),
  };
  const wanted = [...(given ? [] : [nats]), ...list.flatMap(({ ports }) => ports)];
  const [natsPort] = await takePorts(wanted);
  const note = noteRunning(
    cache,
    wanted.map(({ port }) => port),
  );
  const output = createOutput(["nats-server", ...list.map(({ name }) => name)]);
  const launcher = createLauncher({ root, ...output });
  stopOnSignals(launcher, output.say);
  const unused = ["VOXBUS_NATS_PORT", "VOXBUS_DATA_DIR"].filter((name) => given && process.env[name]);
  if (unused.length > 0) output.say(`${unused.join(", ")} not used: VOXBUS_NATS_URL names a NATS that runs already`);
  try {
    const url = given || (await launcher.startNats(natsPort));
    if (launcher.isStopping()) return;
    const addresses = await startPrograms(launcher, list, shareVariables(url, traces, output.say), output.say);
    if (launcher.isStopping()) return;
    const shown = addresses.flatMap(({ ops: _ops, ...rest }) => Object.values(rest));
    note.ready([...shown, ...(given ? [] : [url])]);
    process.stdout.write(describeReady(root, addresses, given ? undefined : url));
  } catch (error) {
    if (launcher.isStopping()) return;
    launcher.stop("SIGINT", "start failed");
    throw error;
  }
}

try {
  const options = readOptions();
  if (options.help) process.stdout.write(help);
  else await start(options);
} catch (error) {
  process.stderr.write(`voxbus: ${error.message.replaceAll("\n", "\nvoxbus: ")}\n`);
  process.exitCode = error instanceof RunningError ? runningCode : 1;
}
