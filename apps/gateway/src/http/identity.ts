import type { IncomingMessage } from "node:http";
import { parseDeviceId, type FramingVersion } from "@voxbus/protocol";
import { hostName, isKnownHost, type Proxies } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import type { Identity } from "./auth.ts";
import { RefusedError } from "./refusals.ts";

/** Gives the URL of a request. Its host is made up. Throws RefusedError if the path is malformed. */
export function requestUrl(request: IncomingMessage): URL {
  const url = `http://gateway${request.url ?? "/"}`;
  if (!URL.canParse(url)) throw new RefusedError("not-found", "the request's path is malformed");
  return new URL(url);
}

/** Reads a header, or else a query parameter of the same name in any case. Empty if there is neither. */
function headerOrQuery(request: IncomingMessage, url: URL, name: string): string {
  const header = request.headers[name];
  if (typeof header === "string" && header) return header;
  for (const [key, value] of url.searchParams) if (key.toLowerCase() === name) return value;
  return "";
}

/** Tells whether a request names a device. Browsers do not. */
export function hasIdentity(request: IncomingMessage, url: URL): boolean {
  return headerOrQuery(request, url, "device-id") !== "";
}

/** Reads the identity from headers, or else from the query (docs/protocol.md, upgrade). Throws `bad-id`. */
export function readIdentity(request: IncomingMessage, url: URL): Identity {
  const token = headerOrQuery(request, url, "authorization").replace(/^Bearer\s+/i, "");
  return {
    device: parseDeviceId(headerOrQuery(request, url, "device-id")),
    client: headerOrQuery(request, url, "client-id").slice(0, 128),
    token: token === "None" ? "" : token,
  };
}

/** Reads the framing that a device announces by header. Undefined without one. Throws RefusedError for an unknown one. */
export function readFraming(request: IncomingMessage): FramingVersion | undefined {
  const header = request.headers["protocol-version"];
  if (header === undefined || header === "") return undefined;
  if (header === "1" || header === "2" || header === "3") return Number(header) as FramingVersion;
  throw new RefusedError("bad-protocol-version", "Protocol-Version must be 1, 2 or 3");
}

/** The parts that know by which names the gateway may be reached. */
interface Names {
  readonly config: GatewayConfig;
  readonly proxies: Proxies;
}

function askedHosts({ socket, headers }: IncomingMessage, { proxies }: Names): readonly string[] {
  return proxies.askedHosts(socket.remoteAddress, headers);
}

/**
 * Tells whether a request's Host, and the host that a proxy was asked for, are an address, localhost, a configured name, or
 * that of VOXBUS_PUBLIC_URL.
 */
function isOwnHost(request: IncomingMessage, names: Names): boolean {
  const { VOXBUS_PUBLIC_URL: publicUrl, VOXBUS_HOSTS: hosts } = names.config;
  const known = publicUrl === undefined ? hosts : [...hosts, new URL(publicUrl).hostname];
  return [request.headers.host, ...askedHosts(request, names)].every((host) => isKnownHost(host, known));
}

/**
 * Refuses a browser that asks under a foreign name. A page of that name sends no Origin with a GET. Throws RefusedError.
 */
export function checkBrowserHost(request: IncomingMessage, names: Names): void {
  const { origin, host, "sec-fetch-site": site, "user-agent": agent = "" } = request.headers;
  const browser = origin === undefined && (site !== undefined || agent.startsWith("Mozilla/"));
  if (browser && !isOwnHost(request, names))
    throw new RefusedError("forbidden", `host ${host} is not allowed to browsers: see VOXBUS_HOSTS`);
}

/**
 * Refuses web pages of other origins. Devices send no Origin and always pass. A page is the gateway's own if it comes from
 * the host name that it connects to, and that name is an address, localhost, or configured. Otherwise a foreign name could
 * be pointed at this machine. Throws RefusedError.
 */
export function checkOrigin(request: IncomingMessage, names: Names): void {
  const { origin } = request.headers;
  const { VOXBUS_ORIGINS: allowed } = names.config;
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return;
  const from = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[|\]$/g, "") : "";
  const own = askedHosts(request, names).some((host) => hostName(host) === from);
  if (!own || !isOwnHost(request, names))
    throw new RefusedError("forbidden", `origin ${origin} is not allowed: see VOXBUS_ORIGINS and VOXBUS_HOSTS`);
}
