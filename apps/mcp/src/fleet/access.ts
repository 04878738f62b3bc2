import type { IncomingMessage } from "node:http";
import { createGuesses, isKnownHost, isOriginOf, isSameSecret, readBearer, type Proxies } from "@voxbus/subscriber";

/** A refused request: its status, a sentence, and headers. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Creates the check of who may ask. The Host header, and the host that a proxy was asked for, must be an address, localhost or
 * one of `hosts`: a foreign name that resolves to this machine gets in nowhere. A request from a page must come from a page of this host. With a `token` every request
 * must have it.
 */
export function createAccess(options: {
  readonly hosts: readonly string[];
  readonly token: string | undefined;
  readonly proxies: Proxies;
}): (request: IncomingMessage) => Refusal | undefined {
  const { hosts, token, proxies } = options;
  const guesses = createGuesses();
  return ({ headers, socket }) => {
    const { host, origin } = headers;
    const asked = proxies.askedHosts(socket.remoteAddress, headers);
    if (![host, ...asked].every((name) => isKnownHost(name, hosts))) {
      return { status: 403, message: "the Host header must be an IP address, localhost, or a name in VOXBUS_HOSTS" };
    }
    if (origin !== undefined && !isOriginOf(origin, asked)) {
      return { status: 403, message: "the Origin header names another site" };
    }
    if (token === undefined) return undefined;
    const given = readBearer(headers.authorization);
    const { group } = proxies.clientOf(socket.remoteAddress, headers["x-forwarded-for"]);
    if (given !== "" && !guesses.allows(group, "")) {
      return { status: 429, message: "too many wrong tokens came from this address, try again later" };
    }
    if (isSameSecret(given, token)) return undefined;
    if (given !== "") guesses.wrong(group, "");
    return {
      status: 401,
      message: "send the token of VOXBUS_MCP_TOKEN as `Authorization: Bearer …`",
      headers: { "www-authenticate": 'Bearer realm="voxbus"' },
    };
  };
}
