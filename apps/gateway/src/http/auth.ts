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
  /** Gives `ok`, `unauthorized` (no token, or a wrong one), or `forbidden` (another device's token). Constant-time. */
  verify(identity: Identity): "ok" | "unauthorized" | "forbidden";
  /** Gives the token for a device's configuration, or undefined if it may not have one. */
  issue(device: string, client: string): string | undefined;
}

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

/** Reads how devices authenticate. Throws ConfigError if the choice is incomplete, or missing beyond loopback. */
export function createAuth(config: GatewayConfig): Auth {
  const mode = config.VOXBUS_AUTH ?? "none";
  const problems: string[] = [];
  if (!config.VOXBUS_AUTH && !isLoopback(config.VOXBUS_GATEWAY_HOST)) {
    problems.push(
      `VOXBUS_AUTH: must be set when VOXBUS_GATEWAY_HOST is ${config.VOXBUS_GATEWAY_HOST}: token, hmac, or none for no protection`,
    );
  }
  if (mode === "token" && config.VOXBUS_AUTH_TOKENS.length === 0)
    problems.push("VOXBUS_AUTH_TOKENS: VOXBUS_AUTH=token needs at least one token");
  if (mode === "hmac" && !config.VOXBUS_AUTH_KEY)
    problems.push("VOXBUS_AUTH_KEY: VOXBUS_AUTH=hmac needs a key of at least 16 characters");
  if (problems.length) throw new ConfigError(problems);

  const allowed = (device: string) => config.VOXBUS_OTA_ALLOW.includes("*") || config.VOXBUS_OTA_ALLOW.includes(device);
  if (mode === "none") return { mode, verify: () => "ok", issue: () => "" };
  if (mode === "hmac") {
    const key = config.VOXBUS_AUTH_KEY ?? "";
    return {
      mode,
      verify({ device, client, token }) {
        const seconds = Number(token.split(".")[1]);
        const age = Date.now() / 1000 - seconds;
        const genuine = same(token, signToken(key, client, device, Number.isFinite(seconds) ? seconds : 0));
        return genuine && age < config.VOXBUS_AUTH_TTL_S && age > -300 ? "ok" : "unauthorized";
      },
      issue: (device, client) =>
        allowed(device) ? signToken(key, client, device, Math.floor(Date.now() / 1000)) : undefined,
    };
  }
  const tokens = config.VOXBUS_AUTH_TOKENS;
  return {
    mode,
    verify({ device, token }) {
      const matching = tokens.filter((known) => same(known.token, token));
      if (matching.length === 0) return "unauthorized";
      return matching.some((known) => known.device === undefined || known.device === device) ? "ok" : "forbidden";
    },
    // An unbound token would let its reader speak for every device.
    issue: (device) => (allowed(device) ? tokens.find((known) => known.device === device)?.token : undefined),
  };
}
