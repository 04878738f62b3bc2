import type { Attack } from "./attack.ts";
import { busAttacks } from "./attacks-bus.ts";
import { connectionAttacks } from "./attacks-connections.ts";
import { frameAttacks } from "./attacks-frames.ts";
import { natsAttacks } from "./attacks-nats.ts";
import { webAttacks } from "./attacks-web.ts";

/** Every attack, in the order of the table. A new one needs a row here and in the table of SECURITY.md. */
export const attacks: readonly Attack[] = [
  { name: "nothing", title: "nothing (for comparison)", run: (scene) => scene.over },
  ...connectionAttacks,
  ...frameAttacks,
  ...webAttacks,
  ...busAttacks,
  ...natsAttacks,
];
