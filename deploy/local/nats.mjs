import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Writes the settings of a nats-server of our own on 127.0.0.1:`port` and gives what starts it. Its store is
 * .data/nats on the usual port and .data/nats-PORT on another, so that no two servers share one.
 */
export function prepareNats({ root, port, usualPort }) {
  const directory = join(root, ".data", port === usualPort ? "nats" : `nats-${port}`);
  mkdirSync(directory, { recursive: true });
  const settings = join(directory, "nats-server.conf");
  // Without the two after logtime a stopped gateway slows every publisher (docs/bus.md); msg_trace, which only an account
  // of one's own can have, reports the path of messages that are traced, and costs nothing otherwise (docs/traces.md).
  // Whoever comes is that account's user.
  writeFileSync(
    settings,
    `server_name: "nats-${port}"
listen: "127.0.0.1:${port}"
jetstream { store_dir: ${JSON.stringify(directory)} }
logtime: false
no_fast_producer_stall: true
write_deadline: "2s"
accounts {
  voxbus {
    jetstream: enabled
    users: [ { user: voxbus } ]
    msg_trace { dest: "voxbus.trace" }
  }
}
no_auth_user: voxbus
`,
  );
  return {
    url: `nats://127.0.0.1:${port}`,
    args: ["-c", settings],
    /** Resolves when the server greets its clients; waits as long as `child` lives. */
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
