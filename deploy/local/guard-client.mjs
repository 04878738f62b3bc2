import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("guard.mjs", import.meta.url));

/**
 * Starts the guard, a process that ends `processes` if this launcher is killed. A guard that dies is started again.
 * `update` sends it the process groups that run now.
 */
export function startGuard({ processes: { gateways, programs, servers }, say }) {
  let child;
  let ending = false;

  const groupsOf = (list) => list.map((one) => one.group()).filter((group) => group !== undefined);
  const update = () => {
    if (child?.connected !== true) return;
    const groups = { servers: groupsOf(servers), programs: groupsOf([...gateways, ...programs]) };
    child.send(groups, (error) => error && say(`guard not updated: ${error.message}`));
  };
  const start = () => {
    child = fork(main, { detached: true, stdio: "ignore" });
    child.once("exit", () => {
      child = undefined;
      if (!ending) start();
    });
    update();
  };

  start();
  return {
    update,
    /** Ends the guard and resolves when it is gone. */
    async end() {
      ending = true;
      if (child === undefined) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.disconnect();
      await gone;
    },
  };
}
