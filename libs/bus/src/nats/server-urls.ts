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
const form = /^(?:(nats|tls):\/\/|(?!\w+:\/\/))(?:(.*)@)?(\[[\da-f:.%]+\](?::\d{1,5})?|[\w.-]+(?::\d{1,5})?)\/?$/i;

/**
 * Reads the servers and their credentials. nats.js ignores credentials in a URL, and takes digits after a colon in them
 * for the port. The problems do not quote the URL.
 */
export function readServerUrls(urls: string): ServerUrls {
  const problems: string[] = [];
  const logins = new Set<string>();
  let tls = false;
  const addresses = urls.split(",").flatMap((url, index) => {
    const [, scheme, login, address] = form.exec(url.trim()) ?? [];
    if (address === undefined) {
      problems.push(
        `${variable}: expected nats://host:port; server ${index + 1} is something else. ` +
          "In a password, write special characters as in %40",
      );
      return [];
    }
    tls ||= scheme?.toLowerCase() === "tls";
    if (login) logins.add(login);
    return [address];
  });
  if (logins.size > 1) problems.push(`${variable}: expected the same credentials for all servers`);
  const [login] = logins;
  try {
    return { addresses, tls, login: login === undefined ? undefined : readLogin(login), problems };
  } catch {
    problems.push(`${variable}: the credentials hold a % that does not begin a character, as %40 does`);
    return { addresses, tls, login: undefined, problems };
  }
}

function readLogin(login: string): { readonly user: string; readonly password?: string } {
  const at = login.indexOf(":");
  if (at < 0) return { user: decodeURIComponent(login) };
  return { user: decodeURIComponent(login.slice(0, at)), password: decodeURIComponent(login.slice(at + 1)) };
}
