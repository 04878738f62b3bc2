import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { parseDeviceId, type FramingVersion, type Refusal } from "@voxbus/protocol";
import { isLoopback, type Identity } from "./auth.ts";
import type { GatewayConfig } from "../config.ts";

/** A request that is refused, by the name that it has in docs/protocol.md. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;
  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** The URL of a request; its host is not to be trusted. Throws RefusedError for an impossible one. */
export function requestUrl(request: IncomingMessage): URL {
  const url = `http://gateway${request.url ?? "/"}`;
  if (!URL.canParse(url)) throw new RefusedError("not-found", "the request's path is no URL");
  return new URL(url);
}

/** Reads a header, else a query parameter of the same name in any case; empty when there is neither. */
function headerOrQuery(request: IncomingMessage, url: URL, name: string): string {
  const header = request.headers[name];
  if (typeof header === "string" && header) return header;
  for (const [key, value] of url.searchParams) if (key.toLowerCase() === name) return value;
  return "";
}

/** Who asks: headers first, else the query (docs/protocol.md, upgrade). Throws `bad-id` for an illegal device id. */
export function readIdentity(request: IncomingMessage, url: URL): Identity {
  const token = headerOrQuery(request, url, "authorization").replace(/^Bearer\s+/i, "");
  return {
    device: parseDeviceId(headerOrQuery(request, url, "device-id")),
    client: headerOrQuery(request, url, "client-id").slice(0, 128),
    token: token === "None" ? "" : token,
  };
}

/** The framing that a device announces by header; undefined when it does not. Throws RefusedError for an unknown one. */
export function readFraming(request: IncomingMessage): FramingVersion | undefined {
  const header = request.headers["protocol-version"];
  if (header === undefined || header === "") return undefined;
  if (header === "1" || header === "2" || header === "3") return Number(header) as FramingVersion;
  throw new RefusedError("bad-protocol-version", "Protocol-Version must be 1, 2 or 3");
}

/** The host name in a Host header, without its port. */
export function hostName(host: string): string {
  return host.startsWith("[") ? host.slice(1, host.indexOf("]")) : (host.split(":")[0] ?? "");
}

/**
 * Refuses web pages of other origins; devices send no Origin and are not concerned. A page is the gateway's own when
 * it comes from the host name that it asks for, and that is an address, localhost, or a name that was configured
 * (else a foreign name could be pointed at this machine).
 */
export function checkOrigin(request: IncomingMessage, config: GatewayConfig): void {
  const { origin } = request.headers;
  if (origin === undefined || config.VOXBUS_ORIGINS.includes("*") || config.VOXBUS_ORIGINS.includes(origin)) return;
  const host = hostName(request.headers.host ?? "");
  const own = URL.canParse(origin) && new URL(origin).hostname.replace(/^\[|\]$/g, "") === host;
  const { VOXBUS_PUBLIC_URL: publicUrl } = config;
  const known =
    isLoopback(host) ||
    isIP(host) > 0 ||
    config.VOXBUS_HOSTS.includes(host) ||
    (publicUrl !== undefined && new URL(publicUrl).hostname === host);
  if (!own || !known)
    throw new RefusedError("forbidden", `origin ${origin} is not allowed: see VOXBUS_ORIGINS and VOXBUS_HOSTS`);
}
