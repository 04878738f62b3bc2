import { isIP } from "node:net";

/** The content of `VOXBUS_NATS_URL`. */
export interface ServerUrls {
  /** The servers as `host:port`, without credentials. */
  readonly addresses: readonly string[];
  /** True if a URL insists on TLS. */
  readonly tls: boolean;
  /** The credentials in the URLs: a user with a password, or a token. */
  readonly login: { readonly user: string; readonly password?: string } | undefined;
  readonly problems: readonly string[];
}

const variable = "VOXBUS_NATS_URL";
const escapes = ". In a password, write special characters as in %40";

/**
 * Reads the servers and their credentials. nats.js ignores credentials in a URL, and takes digits after a colon in them
 * for the port. The problems do not quote the URL.
 */
export function readServerUrls(urls: string): ServerUrls {
  const problems: string[] = [];
  const logins = new Set<string>();
  const addresses: string[] = [];
  let tls = false;
  for (const [index, url] of urls.split(",").entries()) {
    const [, scheme = "", rest = ""] = /^(?:(\w+:\/\/))?(.*)$/s.exec(url.trim()) ?? [];
    const at = rest.lastIndexOf("@");
    const address = rest.slice(at + 1).replace(/\/$/, "");
    const problem = findProblem(url.trim(), scheme.toLowerCase(), address);
    if (problem !== undefined) problems.push(`${variable}: expected nats://host:port; server ${index + 1} ${problem}`);
    if (at > 0) logins.add(rest.slice(0, at));
    tls ||= scheme.toLowerCase() === "tls://";
    addresses.push(address);
  }
  if (logins.size > 1) problems.push(`${variable}: expected the same credentials for all servers`);
  const [login] = logins;
  try {
    return { addresses, tls, login: login === undefined ? undefined : readLogin(login), problems };
  } catch {
    problems.push(`${variable}: the credentials hold a % that does not begin a character, as %40 does`);
    return { addresses, tls, login: undefined, problems };
  }
}

/** Describes what is wrong with a server, without quoting it: anything in it may be a secret. */
function findProblem(url: string, scheme: string, address: string): string | undefined {
  const [, host = "", rest = ""] = /^(\[[^\]]*\]|[^:/?#;]*)(.*)$/s.exec(address) ?? [];
  const port = /^:(\w*)$/.exec(rest)?.[1];
  const isName = /^[\w-]+(\.[\w-]+)*\.?$/.test(host);
  if (url === "") return "is empty: remove a comma";
  if (/^["'`]/.test(url)) return "has quotation marks around it: remove them";
  if (/\s/.test(url)) return "has a space in it: separate servers by commas";
  if (!["", "nats://", "tls://"].includes(scheme) || (scheme === "" && /^(nats|tls):/i.test(url)))
    return "begins with neither nats:// nor tls://";
  if (address === "" || (host === "" && port !== undefined)) return "has no host";
  if (isIP(address) === 6 || /^:?:[\da-f:]*$/i.test(address))
    return "has an IPv6 address without brackets, as in [::1]:4222";
  if (!isName && isIP(/^\[(.*)\]$/.exec(host)?.[1] ?? "") !== 6)
    return `has a host that is neither a name nor an address${escapes}`;
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
    return `has a port that is not from 1 to 65535${escapes}`;
  if (rest !== "" && port === undefined) return `has something behind its port${escapes}`;
  return undefined;
}

function readLogin(login: string): { readonly user: string; readonly password?: string } {
  const at = login.indexOf(":");
  if (at < 0) return { user: decodeURIComponent(login) };
  return { user: decodeURIComponent(login.slice(0, at)), password: decodeURIComponent(login.slice(at + 1)) };
}
