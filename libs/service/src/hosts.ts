import { isIP } from "node:net";
import { z } from "zod";

/** A comma-separated list as an environment variable. Spaces around its items and empty items are dropped. */
export const list = z
  .string()
  .transform((value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  )
  .default([]);

/** Gives the host name in a Host header in lower case, without its port and without the brackets of IPv6. */
export function hostName(header: string): string {
  const name = header.startsWith("[") ? header.slice(1, header.indexOf("]")) : (header.split(":")[0] ?? "");
  return name.toLowerCase();
}

/**
 * Tells whether a Host header names an IP address, localhost, or one of `names` (VOXBUS_HOSTS). Anyone can point every
 * other name at this machine, so that a page of that name reads the answer.
 */
export function isKnownHost(header: string | undefined, names: readonly string[]): boolean {
  const name = hostName(header ?? "");
  return name === "localhost" || isIP(name) > 0 || names.some((known) => known.toLowerCase() === name);
}

/**
 * Tells whether an Origin header is that of a page from one of `hosts`, which have their ports unless those are the default
 * ones. Pages over http and https count alike.
 */
export function isOriginOf(origin: string, hosts: readonly string[]): boolean {
  return hosts.some((host) =>
    ["http", "https"].some((scheme) => {
      const url = `${scheme}://${host}`;
      return !/[/\\?#@]/.test(host) && URL.canParse(url) && new URL(url).origin === origin;
    }),
  );
}

/** Tells whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
