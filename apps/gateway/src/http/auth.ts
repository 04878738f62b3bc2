import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { ConfigError } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";

/** Identity of a request: device id, client id (empty if unknown), and token (empty without one). */
export interface Identity {
  readonly device: string;
  readonly client: string;
  readonly token: string;
}

/** Checks and issues the tokens by which devices prove who they are. */
export interface Auth {
  readonly mode: "none" | "token" | "hmac";
  /** Tells whether a token speaks for its device. Compares in constant time. Rejects as `lastSeen` does. */
  verify(identity: Identity): Promise<boolean>;
  /** Gives the token for a device's configuration, or undefined if it may not have one. */
  issue(device: string, client: string): string | undefined;
}

/** Longest time that a token's clock may be ahead, s. */
const aheadS = 300;

const digest = (text: string) => createHash("sha256").update(text).digest();
const same = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));

/** Makes the ecosystem's token: base64url(HMAC-SHA256(key, client|device|seconds)) "." seconds (docs/protocol.md, OTA). */
export function signToken(key: string, client: string, device: string, seconds: number): string {
  return `${createHmac("sha256", key).update(`${client}|${device}|${seconds}`).digest("base64url")}.${seconds}`;
}

/** Tells whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Reads how devices authenticate. `lastSeen` gives when a device was here last, in ms since the epoch. Throws ConfigError if
 * the choice is incomplete, or missing beyond loopback.
 */
export function createAuth(
  config: GatewayConfig,
  lastSeen: (device: string) => Promise<number | undefined> = async () => undefined,
): Auth {
  const mode = config.VOXBUS_AUTH ?? "none";
  const problems: string[] = [];
  if (!config.VOXBUS_AUTH && !isLoopback(config.VOXBUS_GATEWAY_HOST)) {
    problems.push(
      `VOXBUS_AUTH: must be set when VOXBUS_GATEWAY_HOST is ${config.VOXBUS_GATEWAY_HOST}: token, hmac, or none for no protection`,
    );
  }
  if (mode === "token" && config.VOXBUS_AUTH_TOKENS.length === 0)
    problems.push("VOXBUS_AUTH_TOKENS: VOXBUS_AUTH=token needs at least one token");
  const [key] = config.VOXBUS_AUTH_KEY;
  for (const name of ["VOXBUS_AUTH_TOKENS", "VOXBUS_AUTH_KEY"] as const) {
    if (!config.VOXBUS_AUTH && config[name].length > 0)
      problems.push(`VOXBUS_AUTH: must be set when ${name} is: token, hmac, or none for no protection`);
  }
  if (mode === "hmac" && key === undefined)
    problems.push("VOXBUS_AUTH_KEY: VOXBUS_AUTH=hmac needs a key of at least 16 characters");
  if (problems.length) throw new ConfigError(problems);

  const allowed = (device: string) => config.VOXBUS_OTA_ALLOW.includes("*") || config.VOXBUS_OTA_ALLOW.includes(device);
  if (mode === "hmac" && key !== undefined) {
    return {
      mode,
      verify: (identity) => verifySigned(config, identity, lastSeen),
      issue: (device, client) =>
        allowed(device) ? signToken(key, client, device, Math.floor(Date.now() / 1000)) : undefined,
    };
  }
  if (mode !== "token") return { mode, verify: async () => true, issue: () => "" };
  const tokens = config.VOXBUS_AUTH_TOKENS;
  return {
    mode,
    async verify({ device, token }) {
      const matching = tokens.filter((known) => same(known.token, token));
      return matching.some((known) => known.device === undefined || known.device === device);
    },
    // An unbound token would let its reader speak for every device.
    issue: (device) => (allowed(device) ? tokens.find((known) => known.device === device)?.token : undefined),
  };
}

/**
 * Verifies an hmac token. A device asks for a new one only at boot, so its token's time runs from the last time that the
 * device was here.
 */
async function verifySigned(
  { VOXBUS_AUTH_KEY: keys, VOXBUS_AUTH_TTL_S: ttl }: GatewayConfig,
  { device, client, token }: Identity,
  lastSeen: (device: string) => Promise<number | undefined>,
): Promise<boolean> {
  const seconds = Number(token.split(".")[1]);
  const signed = keys.filter((key) => same(token, signToken(key, client, device, seconds)));
  const now = Date.now() / 1000;
  if (signed.length === 0 || seconds > now + aheadS) return false;
  return now - seconds < ttl || now - ((await lastSeen(device)) ?? 0) / 1000 < ttl;
}
