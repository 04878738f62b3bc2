import {
  ConfigError,
  createGuesses,
  isKnownHost,
  isLoopback,
  isOriginOf,
  isSameSecret,
  readBearer,
  type Client,
} from "@voxbus/subscriber";
import type { Caller, TokenStore } from "../tokens/token-store.ts";
import { Problem } from "./problems.ts";

/** The name of the token of the variable, beside those that are created over the API. */
export const operatorToken = "VOXBUS_MONITOR_TOKEN";

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

/** The origin of a request: its client, and the hosts that the client may have asked for. */
export interface AccessOrigin {
  readonly client: Client;
  readonly asked: readonly string[];
}

/**
 * Creates the check of who may ask. It gives the caller, or throws a Problem: `forbidden`, `unauthorized` or
 * `too-many-guesses`. With a `token` everything under `/api/` requires it, or one of `tokens`. The Host header, and the host
 * that a proxy was asked for, must be an address, localhost or one of `hosts`, so that no foreign name that resolves to this
 * machine gets in. A request that changes something and comes from a page must come from a page of this monitor.
 */
export function createAccess(options: {
  readonly hosts: readonly string[];
  readonly token: string | undefined;
  readonly tokens?: Pick<TokenStore, "find">;
}): (request: AccessRequest, from: AccessOrigin) => Caller {
  const { hosts, token, tokens } = options;
  const guesses = createGuesses();
  const open: Caller = { scope: "admin", isValid: () => true };
  const checkToken = (given: string, { group }: Client): Caller => {
    if (token === undefined) return (given !== "" && tokens?.find(given)) || open;
    // No one can guess the 32 random bytes of a named token, so its callers do not wait for the guesses of others.
    const named = given === "" ? undefined : tokens?.find(given);
    if (named !== undefined) return named;
    if (given !== "" && !guesses.allows(group, "")) {
      throw new Problem("too-many-guesses", "too many wrong tokens came from this address, try again later");
    }
    if (isSameSecret(given, token)) return { ...open, name: operatorToken };
    if (given !== "") guesses.wrong(group, "");
    throw new Problem("unauthorized", "send a token of the monitor as `Authorization: Bearer …`", {
      headers: { "www-authenticate": 'Bearer realm="voxbus"' },
    });
  };
  return (request, { client, asked }) => {
    if (![request.header("host"), ...asked].every((host) => isKnownHost(host, hosts))) {
      throw new Problem("forbidden", "the Host header must be an IP address, localhost, or a name in VOXBUS_HOSTS");
    }
    const isApi = request.path.startsWith("/api/");
    const caller = isApi ? checkToken(readBearer(request.header("authorization")), client) : open;
    const origin = request.header("origin");
    const own = origin === undefined || isOriginOf(origin, asked);
    if (!own && request.method !== "GET" && request.method !== "HEAD") {
      throw new Problem("forbidden", "the Origin header names another site");
    }
    return caller;
  };
}
