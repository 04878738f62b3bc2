import { fork } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defaultPorts } from "@voxbus/protocol";
import { findNatsServer } from "./nats-server.mjs";
import { prepareNats } from "./nats.mjs";
import { probePorts } from "./ports.mjs";
import { keepPorts, listPrograms, readPort } from "./programs.mjs";
import { superviseProgram } from "./supervise.mjs";

const help = `npm start -- [--gateways N] [--traces] [--help]

Starts the whole system on this machine: a nats-server, N gateways (1), asr, tts, dialogue and the monitor, each a
process of its own that is started again when it dies. Ctrl-C ends everything within 5 s, SIGTERM lets replies end.

  VOXBUS_NATS_URL      a NATS that runs already; unset: a nats-server of its own
  VOXBUS_NATS_PORT     the port of its own nats-server on 127.0.0.1 [${defaultPorts.nats}]; 0: any free port, and a store for this run only
  VOXBUS_GATEWAY_PORT  the first gateway's port [${defaultPorts.gateway.device}]; further gateways take the next ones
  VOXBUS_MONITOR_PORT  the monitor's port [${defaultPorts.monitor.http}]

--traces sends the traces of turns to http://127.0.0.1:4318, where Jaeger takes them, or where the standard variables
OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT say.

All variables go to the programs; each lists its own: node apps/<name>/dist/main.js --help
`;

const root = fileURLToPath(new URL("../../", import.meta.url));
const usualTraces = "http://127.0.0.1:4318";
/** By when, in ms after the signal, gateways, programs and nats-server are out; what is not is killed. */
const bounds = {
  SIGINT: { gateways: 1_500, programs: 3_300, servers: 4_000 },
  SIGTERM: { gateways: 27_000, programs: 29_000, servers: 30_000 },
};

const servers = [];
const gateways = [];
const programs = [];
const everything = () => [...servers, ...gateways, ...programs];
let width = "nats-server".length;
let guard;
let stopping;

function print(name, line) {
  process.stdout.write(`${name.padEnd(width)} | ${line}\n`);
}

function say(line) {
  print("voxbus", line);
}

/** Starts the process that ends ours if this one is killed; it is started again if it dies itself. */
function startGuard() {
  guard = fork(fileURLToPath(new URL("guard.mjs", import.meta.url)), { detached: true, stdio: "ignore" });
  guard.once("exit", () => {
    guard = undefined;
    if (stopping === undefined) startGuard();
  });
  tellGuard();
}

function tellGuard() {
  if (guard?.connected !== true) return;
  const groupsOf = (list) => list.map((one) => one.group()).filter((group) => group !== undefined);
  const groups = { servers: groupsOf(servers), programs: groupsOf([...gateways, ...programs]) };
  guard.send(groups, (error) => error && say(`the guard did not hear (${error.message}); the next one will`));
}

async function endGuard() {
  if (guard === undefined) return;
  const gone = new Promise((resolve) => guard.once("exit", resolve));
  guard.disconnect();
  await gone;
}

/** Starts the nats-server of this run and resolves with its URL when it answers. */
async function startNats(port) {
  const nats = prepareNats({ root, port, usualPort: defaultPorts.nats });
  if (process.env.VOXBUS_NATS_PORT === "0") process.once("exit", nats.remove);
  const server = superviseProgram({
    name: "nats-server",
    command: await findNatsServer(),
    args: nats.args,
    cwd: root,
    environment: () => process.env,
    awaitReady: nats.awaitReady,
    // It warns of the one user, who has no password and needs none on this machine's own address.
    print: (line) => /\[INF\]|Plaintext passwords/.test(line) || print("nats-server", line),
    say,
    onChange: tellGuard,
  });
  servers.push(server);
  tellGuard();
  await server.ready;
  return nats.url;
}

function startProgram({ name, program, main, variables }, shared) {
  let own = variables;
  const running = superviseProgram({
    name,
    command: process.execPath,
    args: [main],
    cwd: root,
    environment: () => ({ ...process.env, ...shared, ...own }),
    awaitReady: async (child) => {
      const addresses = await new Promise((resolve) => {
        child.on("message", (message) => message?.type === "ready" && resolve(message.addresses));
      });
      own = { ...own, ...keepPorts(program, addresses) };
      return addresses;
    },
    print: (line) => print(name, line),
    say,
    onChange: tellGuard,
  });
  (program === "gateway" ? gateways : programs).push(running);
  tellGuard();
  return running;
}

function describeReady(addresses) {
  const doors = addresses.filter((one) => one.device !== undefined);
  const monitor = addresses.find((one) => one.monitor !== undefined)?.monitor;
  const url = doors[0]?.device;
  const option = url === undefined || new URL(url).port === String(defaultPorts.gateway.device) ? "" : ` --url ${url}`;
  const samples = join(root, "samples");
  const recording =
    existsSync(samples) &&
    readdirSync(samples)
      .toSorted()
      .find((file) => file.endsWith(".wav"));
  return [
    "",
    "voxbus is ready.",
    "",
    ...doors.map((one) => `  device   ${one.device}`),
    ...doors.map((one) => `  OTA      ${one.ota}`),
    `  monitor  ${monitor}`,
    "",
    "Talk to it from another terminal:",
    "",
    ...(recording ? [`  npm run device --${option} --wav samples/${recording}`] : []),
    `  npm run device --${option} --text "what time is it"`,
    "",
    "Ctrl-C ends it.",
    "",
  ].join("\n");
}

async function settle(list, until) {
  const left = Math.max(0, until - Date.now());
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, left)));
  await Promise.race([Promise.all(list.map((one) => one.gone)), late]);
  clearTimeout(timer);
}

/** Ends everything in order: gateways first, so that devices are told; nats-server last. */
async function stopAll(signal) {
  const began = Date.now();
  const bound = bounds[signal];
  const stages = [
    { list: gateways, until: began + bound.gateways },
    { list: programs, until: began + bound.programs },
  ];
  for (const { list, until } of stages) {
    for (const one of list) one.stop(signal);
    await settle(list, until);
  }
  for (const one of [...gateways, ...programs]) one.kill();
  for (const one of servers) one.stop("SIGTERM");
  await settle(servers, began + bound.servers);
  for (const one of everything()) one.kill();
  await Promise.all(everything().map((one) => one.gone));
  await endGuard();
}

function stop(signal, why) {
  if (stopping !== undefined) {
    // npm passes a terminal's Ctrl-C on, so one press arrives twice.
    if (Date.now() - stopping < 500) return;
    for (const one of everything()) {
      one.stop("SIGKILL");
      one.kill();
    }
    return;
  }
  stopping = Date.now();
  say(`${why}: ending everything`);
  stopAll(signal).then(
    () => {
      say("everything ended");
      process.exit();
    },
    (error) => {
      process.stderr.write(`voxbus: ${error.stack}\n`);
      process.exit(1);
    },
  );
}

function listenForTheEnd() {
  process.on("SIGINT", () => stop("SIGINT", "Ctrl-C"));
  process.on("SIGTERM", () => stop("SIGTERM", "SIGTERM"));
  process.on("SIGHUP", () => stop("SIGINT", "the terminal closed"));
  process.stdout.on("error", () => stopping ?? stop("SIGINT", "nobody reads the output"));
  if (process.env.npm_lifecycle_event !== "start") return;
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || stop("SIGINT", "npm is gone"), 500).unref();
}

/** Where traces go, if they are asked for: the variable that says so to the programs. */
function sendTraces(asked) {
  const given = process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!asked) return {};
  say(`traces go to ${given || usualTraces}`);
  return given ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: usualTraces };
}

async function start(count, { traces }) {
  const list = listPrograms({ gateways: count, env: process.env });
  const given = process.env.VOXBUS_NATS_URL;
  const natsPort = {
    variable: "VOXBUS_NATS_PORT",
    host: "127.0.0.1",
    port: readPort(process.env, "VOXBUS_NATS_PORT", defaultPorts.nats),
  };
  const ports = await probePorts([natsPort, ...list.flatMap((one) => one.ports)].slice(given ? 1 : 0));
  width = Math.max(width, ...list.map((one) => one.name.length));
  listenForTheEnd();
  startGuard();
  const url = given || (await startNats(ports[0]));
  const format = process.env.VOXBUS_LOG_FORMAT || (process.stdout.isTTY ? "pretty" : "json");
  const shared = { VOXBUS_NATS_URL: url, VOXBUS_LOG_FORMAT: format, ...sendTraces(traces) };
  if (stopping !== undefined) return;
  const waiting = new Set(list.map((one) => one.name));
  const patience = setInterval(() => say(`waiting for ${[...waiting].join(", ")}`), 15_000);
  try {
    const addresses = await Promise.all(
      list.map(async (one) => {
        const said = await startProgram(one, shared).ready;
        waiting.delete(one.name);
        return said;
      }),
    );
    if (stopping === undefined) process.stdout.write(`${describeReady(addresses)}\n`);
  } finally {
    clearInterval(patience);
  }
}

try {
  const { values } = parseArgs({
    options: {
      gateways: { type: "string", default: "1" },
      traces: { type: "boolean", default: false },
      help: { type: "boolean" },
    },
  });
  if (values.help) process.stdout.write(help);
  else if (!/^[1-9]\d?$/.test(values.gateways)) throw new Error("--gateways is a number from 1 to 99");
  else await start(Number(values.gateways), { traces: values.traces });
} catch (error) {
  if (stopping === undefined) {
    process.stderr.write(`voxbus: ${error.message.replaceAll("\n", "\nvoxbus: ")}\n`);
    process.exitCode = 1;
    if (guard !== undefined) stop("SIGINT", "it could not start");
  }
}
