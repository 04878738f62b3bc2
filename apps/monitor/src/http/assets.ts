import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";
import type { App } from "./server.ts";

/** One file of the page, as it is sent. */
export interface Asset {
  readonly type: string;
  readonly content: Buffer<ArrayBuffer>;
  readonly zipped: Buffer<ArrayBuffer>;
  /** Its name holds a hash of its content, so browsers may keep it forever. */
  readonly hashed: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
  ".json": "application/json",
};

/** Reads all files of the built page by path; `/` is its index.html. Empty if the page was not built. */
export function readAssets(directory: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  if (!existsSync(directory)) return assets;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = `/${relative(directory, join(entry.parentPath, entry.name)).split(sep).join("/")}`;
    const content = readFileSync(join(entry.parentPath, entry.name));
    const hashed = path.startsWith("/assets/");
    assets.set(path === "/index.html" ? "/" : path, { type, content, zipped: gzipSync(content), hashed });
  }
  return assets;
}

/** Adds the page's files to `app`. Each is sent under the policy for the request's Host and the gateways' `addresses`. */
export function addAssets(app: App, assets: ReadonlyMap<string, Asset>, addresses: () => readonly string[]): void {
  for (const [path, { type, content, zipped, hashed }] of assets) {
    app.get(path, (c) => {
      const zip = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
      return c.body(zip ? zipped : content, 200, {
        ...guardPage(c.req.header("host") ?? "", addresses()),
        "content-type": type,
        ...(hashed ? { "cache-control": "public, max-age=31536000, immutable" } : {}),
        ...(zip ? { "content-encoding": "gzip" } : {}),
        vary: "accept-encoding",
      });
    });
  }
}

/**
 * The headers of the page's files for a request to `host`. The page may run its own scripts and styles only. It may
 * connect to this host, where the gateways usually are, and to the `addresses` of gateways elsewhere.
 */
export function guardPage(host: string, addresses: readonly string[]): Readonly<Record<string, string>> {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  // CSP has no way to write an IPv6 address.
  const own = /^[a-z0-9.-]+$/.test(name) && !isIPv6(name) ? [`${name}:*`] : [""];
  const elsewhere = addresses.flatMap((address) => (URL.canParse(address) ? [new URL(address).host] : []));
  const hosts = [...new Set([...own, ...elsewhere.filter((one) => !one.startsWith("["))])];
  const connect = hosts.flatMap((one) =>
    ["ws", "wss", "http", "https"].map((scheme) => (one === "" ? `${scheme}:` : `${scheme}://${one}`)),
  );
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "worker-src 'self'",
    `connect-src 'self' ${connect.join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    "content-security-policy": policy.join("; "),
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
  };
}
