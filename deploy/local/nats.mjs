import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultPorts } from "@voxbus/protocol";

/**
 * Writes the settings of a nats-server on 127.0.0.1:`port`: those of deploy/nats with a store of its own. The store is
 * .data/nats on the default port and .data/nats-PORT on another one, so that no two servers share a store.
 */
export function prepareNats({ root, port }) {
  const directory = join(root, ".data", port === defaultPorts.nats ? "nats" : `nats-${port}`);
  mkdirSync(directory, { recursive: true });
  const settings = join(directory, "nats-server.conf");
  // nats-server resolves an include from the folder of the file that has it.
  const common = relative(directory, join(root, "deploy/nats/voxbus.conf"));
  writeFileSync(
    settings,
    `server_name: "nats-${port}"
listen: "127.0.0.1:${port}"
jetstream { store_dir: ${JSON.stringify(directory)} }
logtime: false
include ${JSON.stringify(common)}
`,
  );
  return {
    url: `nats://127.0.0.1:${port}`,
    args: ["-c", settings],
    /** Resolves when the server greets clients, or when `child` has ended. */
    async awaitReady(child) {
      while (child.exitCode === null && child.signalCode === null && !(await isGreeted(port))) await sleep(20);
    },
    /** Removes the store. */
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function isGreeted(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("data", (bytes) => {
      resolve(bytes.toString().startsWith("INFO "));
      socket.destroy();
    });
    socket.once("error", () => socket.destroy());
    socket.once("close", () => resolve(false));
  });
}
