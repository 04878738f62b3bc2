import { startBystander, type Bystander } from "../fuzz/bystander.ts";
import { startWatch, type Watch } from "../fuzz/watch.ts";
import { bystanderToken, type Target, type WorldName } from "./attack.ts";
import { openTarget } from "./target.ts";

/** A system to attack, with talking bystanders and a watch over its programs. */
export interface Stand {
  readonly target: Target;
  readonly bystander: Bystander;
  readonly watch: Watch;
  /** Ends everything. Resolves with the bystanders' last problems. */
  close(): Promise<readonly string[]>;
}

/** Starts a system with bystanders. */
export async function openStand(world: WorldName, bystanders: number): Promise<Stand> {
  const target = await openTarget(world);
  const { url, ota, system } = target;
  const bystander = await startBystander({ url, ota, devices: bystanders, token: bystanderToken });
  const watch = startWatch(system.launched, [{ program: "nats-server", pid: system.natsPid }]);
  return {
    target,
    bystander,
    watch,
    async close() {
      watch.end();
      const { problems } = await bystander.end();
      await target.close();
      return problems;
    },
  };
}
