import type { Attack } from "./attack.ts";
import { busAttacks } from "./attacks-bus.ts";
import { connectionAttacks } from "./attacks-connections.ts";
import { frameAttacks } from "./attacks-frames.ts";
import { natsAttacks } from "./attacks-nats.ts";
import { webAttacks } from "./attacks-web.ts";

/** Every attack by its area, which is also the end of its file's name. */
export const areas: Readonly<Record<string, readonly Attack[]>> = {
  connections: connectionAttacks,
  frames: frameAttacks,
  web: webAttacks,
  bus: busAttacks,
  nats: natsAttacks,
};

/** Every attack, in the order of the table in docs/reliability.md. */
export const attacks: readonly Attack[] = [
  { name: "nothing", title: "nothing (for comparison)", happens: "nothing", run: (scene) => scene.over },
  ...Object.values(areas).flat(),
];
