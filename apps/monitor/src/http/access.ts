import { createHash, timingSafeEqual } from "node:crypto";
import { ConfigError, createGuesses, isKnownHost, type Client } from "@voxbus/subscriber";
import { Problem } from "./problems.ts";

/** True for an address that only this machine reaches. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Throws ConfigError if the API would be open to the network and the configuration does not ask for it. */
export function checkExposure(config: {
  readonly VOXBUS_MONITOR_HOST: string;
  readonly VOXBUS_MONITOR_TOKEN?: string | undefined;
  readonly VOXBUS_AUTH?: string | undefined;
}): void {
  const { VOXBUS_MONITOR_HOST: host, VOXBUS_MONITOR_TOKEN: token, VOXBUS_AUTH: auth } = config;
  if (isLoopback(host) || token !== undefined || auth === "none") return;
  throw new ConfigError([
    `VOXBUS_MONITOR_HOST: ${host} is open to the network: set VOXBUS_MONITOR_TOKEN, or allow it with VOXBUS_AUTH=none`,
  ]);
}

/** The parts of a request that decide on access. */
export interface AccessRequest {
  readonly method: string;
  readonly path: string;
  header(name: string): string | undefined;
}

/**
 * Creates the check of who may ask, which throws a Problem: `forbidden`, `unauthorized` or `too-many-guesses`. With a `token`
 * everything under `/api/` requires it. The Host header must be an address, localhost or one of `hosts`, so that no foreign name that
 * resolves to this machine gets in. A request that changes something and comes from a page must come from a
 * page of this monitor.
 */
export function createAccess(options: {
  readonly hosts: readonly string[];
  readonly token: string | undefined;
}): (request: AccessRequest, client: Client) => void {
  const { hosts, token } = options;
  const guesses = createGuesses();
  const checkToken = (given: string, { group }: Client) => {
    if (token === undefined) return;
    if (given !== "" && !guesses.allows(group, "")) {
      throw new Problem("too-many-guesses", "too many wrong tokens came from this address, try again later");
    }
    if (sameSecret(given, token)) return;
    if (given !== "") guesses.wrong(group, "");
    throw new Problem("unauthorized", "send the monitor's token as `Authorization: Bearer …`", {
      headers: { "www-authenticate": 'Bearer realm="voxbus"' },
    });
  };
  return (request, client) => {
    const named = request.header("host") ?? "";
    if (!isKnownHost(named, hosts)) {
      throw new Problem("forbidden", "the Host header must be an IP address, localhost, or a name in VOXBUS_HOSTS");
    }
    if (request.path.startsWith("/api/")) checkToken(bearer(request.header("authorization")), client);
    const origin = request.header("origin");
    const own = origin === undefined || origin === `http://${named}` || origin === `https://${named}`;
    if (!own && request.method !== "GET" && request.method !== "HEAD") {
      throw new Problem("forbidden", "the Origin header names another site");
    }
  };
}

const bearer = (header: string | undefined): string => /^Bearer +(.+)$/i.exec(header ?? "")?.[1] ?? "";

// Digests have one length, so the time of the comparison does not depend on the token, not even on its length.
const sameSecret = (given: string, wanted: string): boolean => timingSafeEqual(digest(given), digest(wanted));

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
