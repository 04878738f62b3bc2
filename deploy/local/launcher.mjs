import { resolve } from "node:path";
import { startGuard } from "./guard-client.mjs";
import { findNatsServer } from "./nats-server.mjs";
import { prepareNats } from "./nats.mjs";
import { keepPorts } from "./programs.mjs";
import { superviseProgram } from "./supervise.mjs";

/** Shutdown deadlines in ms after the signal. Anything still running is then killed. */
const deadlines = {
  SIGINT: { gateways: 1_500, programs: 3_300, servers: 4_000 },
  SIGTERM: { gateways: 27_000, programs: 29_000, servers: 30_000 },
};

/** npm passes a terminal's Ctrl-C on, so one press arrives twice within this time in ms. */
const samePressMs = 500;

/** Creates the launcher of one system. It starts processes, restarts them if they die, and stops them in order. */
export function createLauncher({ root, print, say, saveLines, finish }) {
  const processes = { gateways: [], programs: [], servers: [] };
  const all = () => Object.values(processes).flat();
  const guard = startGuard({ processes, say });
  let stoppedAt;

  function supervise(kind, options) {
    const one = superviseProgram({ cwd: root, say, onChange: guard.update, ...options });
    processes[kind].push(one);
    guard.update();
    return one;
  }

  return {
    /** Starts a nats-server and resolves with its URL when it answers. */
    async startNats(port) {
      const data = resolve(root, process.env.VOXBUS_DATA_DIR || ".data");
      const nats = prepareNats({ root, data, port, say });
      if (process.env.VOXBUS_NATS_PORT === "0") process.once("exit", nats.remove);
      const server = supervise("servers", {
        name: "nats-server",
        command: await findNatsServer(),
        args: nats.args,
        environment: () => process.env,
        awaitReady: nats.awaitReady,
        // It warns of the one user without a password, who can connect from this machine only.
        print: (line) => /\[INF\]|Plaintext passwords/.test(line) || print("nats-server", line),
      });
      await server.ready;
      return nats.url;
    },
    /** Starts a program with its own variables and the `shared` ones. A restarted program keeps its ports. */
    startProgram({ name, program, flags, main, variables }, shared) {
      let own = variables;
      return supervise(program === "gateway" ? "gateways" : "programs", {
        name,
        command: process.execPath,
        args: [...flags, main],
        environment: () => ({ ...process.env, ...shared, ...own }),
        async awaitReady(child) {
          const addresses = await readAddresses(child);
          own = { ...own, ...keepPorts(program, addresses) };
          return addresses;
        },
        print: (line) => print(name, line),
      });
    },
    isStopping: () => stoppedAt !== undefined,
    /** Stops everything in order and ends this process. A second call kills everything at once. */
    stop(signal, why) {
      if (stoppedAt !== undefined) {
        if (Date.now() - stoppedAt >= samePressMs) killAll(all());
        return;
      }
      stoppedAt = Date.now();
      saveLines();
      say(`stopping: ${why}`);
      stopInOrder(processes, signal, stoppedAt)
        .then(() => guard.end())
        .then(() => say("everything stopped"))
        .then(() => finish())
        .then(() => process.exit())
        .catch((error) => {
          process.stderr.write(`voxbus: ${error.stack}\n`);
          process.exit(1);
        });
    },
  };
}

function readAddresses(child) {
  return new Promise((resolve) => {
    child.on("message", (message) => message?.type === "ready" && resolve(message.addresses));
  });
}

/** Stops the gateways first, so that devices are told, and nats-server last. */
async function stopInOrder({ gateways, programs, servers }, signal, began) {
  const deadline = deadlines[signal];
  await stopAll(gateways, signal, began + deadline.gateways);
  await stopAll(programs, signal, began + deadline.programs);
  killAll([...gateways, ...programs]);
  await stopAll(servers, "SIGTERM", began + deadline.servers);
  killAll(servers);
  await Promise.all([...gateways, ...programs, ...servers].map(({ gone }) => gone));
}

/** Signals processes and waits until they are gone, or until the time `until`. */
async function stopAll(list, signal, until) {
  for (const one of list) one.stop(signal);
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, Math.max(0, until - Date.now()))));
  await Promise.race([Promise.all(list.map(({ gone }) => gone)), late]);
  clearTimeout(timer);
}

function killAll(list) {
  for (const one of list) {
    one.stop("SIGKILL");
    one.kill();
  }
}
