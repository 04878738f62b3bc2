import { isIPv6 } from "node:net";
import { serveStatic } from "@hono/node-server/serve-static";
import { compress } from "hono/compress";
import type { App } from "./server.ts";

const paths = ["/", "/assets/*", "/:file{[^/]+\\.(?:svg|png|webmanifest)}"];

/**
 * Adds the files of the built page in `directory` to `app`. Each is sent under the policy for the request's Host and the
 * gateways' `addresses`. The names in /assets hold a hash of the content, so browsers may keep those files forever.
 */
export function addPage(app: App, directory: string, addresses: () => readonly string[]): void {
  const files = [compress({ encoding: "gzip", threshold: 0 }), serveStatic({ root: directory })] as const;
  app.on(
    "GET",
    paths,
    async (c, next) => {
      await next();
      if (!c.res.ok) return;
      for (const [name, value] of Object.entries(guardPage(c.req.header("host") ?? "", addresses())))
        c.header(name, value);
      if (c.req.path.startsWith("/assets/")) c.header("cache-control", "public, max-age=31536000, immutable");
    },
    ...files,
  );
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
