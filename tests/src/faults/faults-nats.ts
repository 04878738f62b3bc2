import type { Fault } from "./fault.ts";
import type { Stage } from "./stage.ts";

const restart = (options: { readonly wipe: boolean; readonly awayMs: number }) => async (stage: Stage) => {
  const [server] = stage.world.nats;
  await stage.next("mid sound");
  stage.strike("SIGKILL", [server!.pid]);
  await stage.sleep(options.awayMs);
  await server!.restart({ wipe: options.wipe });
};

/** What happens to NATS. */
export const natsFaults: readonly Fault[] = [
  {
    name: "kill -9 nats-server, back after 2 s with its data",
    world: "one",
    quick: true,
    happen: restart({ wipe: false, awayMs: 2000 }),
  },
];
