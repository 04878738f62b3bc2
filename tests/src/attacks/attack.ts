import type { NatsConnection } from "@nats-io/transport-node";
import type { SoakSystem } from "../soak/system.ts";

const tokens = Array.from({ length: 20 }, (_, n) => `bound-${n}=token-of-bound-device-${n}`);
/** The token of the bystanders where the gateway wants one. */
export const bystanderToken = "token-of-every-bystander";

/** The systems for the attacks. Attacks with the same system share it. */
export const worlds = {
  /** A gateway that lets every device in. */
  open: {},
  /** A gateway that wants tokens. */
  tokens: { VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS: [bystanderToken, ...tokens].join(","), VOXBUS_OTA_ALLOW: "bound-1" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>; // prettier-ignore
export type WorldName = keyof typeof worlds;

/** A running system under attack. */
export interface Target {
  readonly system: SoakSystem;
  /** The URL for devices, and its port. */
  readonly url: string;
  readonly port: number;
  readonly ota: string;
  readonly monitor: string;
  /** The id of the gateway. */
  readonly gateway: string;
  /** The URL of each program's operations port. */
  readonly ops: ReadonlyMap<string, string>;
  /** The attacker's own connection to NATS. */
  readonly nats: NatsConnection;
}

/** The tools of an attack. */
export interface Scene extends Target {
  /** The time for which an attack sustains its load, ms. */
  readonly ms: number;
  /** Resolves when that time is over. */
  readonly over: Promise<void>;
  /** True when that time is over. */
  readonly isOver: boolean;
  /** Scales a number of the long form down to the short form. */
  scale(count: number): number;
  /** Adds a number to the row, such as refusals. */
  note(what: string, count?: number): void;
  /** Reports a problem that the attack found itself, once. */
  complain(problem: string): void;
}

/** One attack. It runs beside talking bystanders. */
export interface Attack {
  readonly name: string;
  readonly title: string;
  /** The consequence for the attacker, for SECURITY.md. */
  readonly happens: string;
  readonly world?: WorldName;
  /** True for the short form. */
  readonly quick?: boolean;
  /** The reason why bystanders cannot be served during the attack. Then only the time after it is judged. */
  readonly outage?: string;
  /** The logged errors that the attack is meant to cause. */
  readonly logs?: RegExp;
  /** The most descriptors that a program may use during the attack. */
  readonly mostHandles?: number;
  /** True if the attack itself writes keys into the bucket `presence`, and leaves them. */
  readonly writesKeys?: boolean;
  /** The least duration of the long form, ms. */
  readonly leastMs?: number;
  /** Attacks, and resolves when nothing of the attacker is left. */
  readonly run: (scene: Scene) => Promise<void>;
}
