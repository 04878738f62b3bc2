import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultPorts } from "@voxbus/protocol";

/**
 * Writes the settings of a nats-server on 127.0.0.1:`port`: those of deploy/nats with a store of its own. The store is
 * `nats` in the folder `data` on the default port and nats-PORT on another one, so that no two servers share a store.
 * If the folder cannot be written to, it is a temporary one, and `say` tells so.
 */
export function prepareNats({ root, data, port, say }) {
  const directory = openFolder(data, port === defaultPorts.nats ? "nats" : `nats-${port}`, say);
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

function openFolder(data, name, say) {
  const wanted = join(data, name);
  try {
    mkdirSync(wanted, { recursive: true });
    accessSync(wanted, constants.W_OK);
    return wanted;
  } catch (error) {
    const temporary = mkdtempSync(join(tmpdir(), "voxbus-data-"));
    say(
      `${data} cannot be written to (${error.code}): the data is in ${temporary}. VOXBUS_DATA_DIR names another folder.`,
    );
    return temporary;
  }
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
