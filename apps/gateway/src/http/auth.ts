import { createHmac } from "node:crypto";
import type { RegisteredToken } from "@voxbus/protocol";
import { ConfigError, hashSecret, isLoopback, isSameSecret } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import { noKnownDevices, type KnownDevices } from "./known-devices.ts";

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
  /** True for a device that an operator has disabled. It is refused in every mode, whatever its token. */
  refuses(device: string): boolean;
  /** Gives the token for a device's configuration, or undefined if it may not have one. */
  issue(device: string, client: string): string | undefined;
}

/** Longest time that a token's clock may be ahead, s. */
const aheadS = 300;

/** Makes the ecosystem's token: base64url(HMAC-SHA256(key, client|device|seconds)) "." seconds (docs/protocol.md, OTA). */
export function signToken(key: string, client: string, device: string, seconds: number): string {
  return `${createHmac("sha256", key).update(`${client}|${device}|${seconds}`).digest("base64url")}.${seconds}`;
}

/**
 * Reads how devices authenticate: by the configuration, and by what is known of each. Throws ConfigError if the choice is
 * incomplete, or missing beyond loopback.
 */
export function createAuth(config: GatewayConfig, known: KnownDevices = noKnownDevices): Auth {
  const mode = config.VOXBUS_AUTH ?? "none";
  const problems: string[] = [];
  if (!config.VOXBUS_AUTH && !isLoopback(config.VOXBUS_GATEWAY_HOST)) {
    problems.push(
      `VOXBUS_AUTH: must be set when VOXBUS_GATEWAY_HOST is ${config.VOXBUS_GATEWAY_HOST}: token, hmac, or none for no protection`,
    );
  }
  const isClosed = config.VOXBUS_ACTIVATION === "off";
  if (mode === "token" && config.VOXBUS_AUTH_TOKENS.length === 0 && isClosed)
    problems.push("VOXBUS_AUTH_TOKENS: VOXBUS_AUTH=token needs at least one token, or VOXBUS_ACTIVATION");
  if (mode === "none" && !isClosed)
    problems.push(`VOXBUS_AUTH: VOXBUS_ACTIVATION=${config.VOXBUS_ACTIVATION} needs token or hmac`);
  const [key] = config.VOXBUS_AUTH_KEY;
  for (const name of ["VOXBUS_AUTH_TOKENS", "VOXBUS_AUTH_KEY"] as const) {
    if (!config.VOXBUS_AUTH && config[name].length > 0)
      problems.push(`VOXBUS_AUTH: must be set when ${name} is: token, hmac, or none for no protection`);
  }
  if (mode === "hmac" && key === undefined)
    problems.push("VOXBUS_AUTH_KEY: VOXBUS_AUTH=hmac needs a key of at least 16 characters");
  if (problems.length) throw new ConfigError(problems);

  const { VOXBUS_OTA_ALLOW: listed } = config;
  const allowed = (device: string) => {
    const { allowed: isAllowed, tokens = [] } = known.registered(device) ?? {};
    // Anyone may ask with its id. Its own token is given to its own client alone.
    if (tokens.length > 0) return false;
    return isAllowed ?? (listed.includes("*") || listed.includes(device));
  };
  const refuses = (device: string) => known.registered(device)?.allowed === false;
  if (mode === "hmac" && key !== undefined) {
    return {
      mode,
      refuses,
      verify: async (identity) =>
        (await hasOwnToken(config, identity, known)) ||
        (await verifySigned(config, identity, known)) ||
        (await hasNewToken(identity, known)),
      issue: (device, client) =>
        allowed(device) ? signToken(key, client, device, Math.floor(Date.now() / 1000)) : undefined,
    };
  }
  if (mode !== "token") return { mode, refuses, verify: async () => true, issue: () => "" };
  const tokens = config.VOXBUS_AUTH_TOKENS;
  return {
    mode,
    refuses,
    async verify(identity) {
      const matching = tokens.filter(({ token }) => isSameSecret(token, identity.token));
      const isListed = matching.some(({ device }) => device === undefined || device === identity.device);
      return isListed || (await hasOwnToken(config, identity, known)) || hasNewToken(identity, known);
    },
    // An unbound token would let its reader speak for every device.
    issue: (device) => (allowed(device) ? tokens.find((one) => one.device === device)?.token : undefined),
  };
}

/** Finds a token among a device's own. */
function findOwn(token: string, tokens: readonly RegisteredToken[] = []): readonly RegisteredToken[] {
  const given = hashSecret(token);
  return tokens.filter(({ hash }) => isSameSecret(hash, given));
}

/** Tells whether a token is one of the device's own in the registry, and valid as an hmac token is. */
async function hasOwnToken(config: GatewayConfig, { device, token }: Identity, known: KnownDevices): Promise<boolean> {
  const matching = findOwn(token, known.registered(device)?.tokens);
  const now = known.now();
  if (matching.some(({ until }) => now < until)) return true;
  return matching.length > 0 && now - ((await known.lastSeen(device)) ?? 0) < config.VOXBUS_AUTH_TTL_S * 1000;
}

/** Tells whether a token is one of the device's own that another gateway gave it just now. Guesses are limited before. */
async function hasNewToken({ device, token }: Identity, known: KnownDevices): Promise<boolean> {
  if (!/^[\w-]{43}$/.test(token)) return false;
  const matching = findOwn(token, (await known.readAgain(device))?.tokens);
  return matching.some(({ until }) => known.now() < until);
}

/**
 * Verifies an hmac token. A device asks for a new one only at boot, so its token's time runs from the last time that the
 * device was here.
 */
async function verifySigned(
  { VOXBUS_AUTH_KEY: keys, VOXBUS_AUTH_TTL_S: ttl }: GatewayConfig,
  { device, client, token }: Identity,
  known: KnownDevices,
): Promise<boolean> {
  const seconds = Number(token.split(".")[1]);
  const signed = keys.filter((key) => isSameSecret(token, signToken(key, client, device, seconds)));
  const now = Date.now() / 1000;
  if (signed.length === 0 || seconds > now + aheadS) return false;
  return now - seconds < ttl || now - ((await known.lastSeen(device)) ?? 0) / 1000 < ttl;
}
