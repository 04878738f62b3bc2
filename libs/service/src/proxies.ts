import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";
import { z } from "zod";

/** The other end of a connection or of a request. */
export interface Client {
  /** Its address: IPv6 in its shortest form, IPv4 never as `::ffff:`. Empty if the connection is gone. */
  readonly address: string;
  /** Its name where limits count by address: the address, or the /64 network of IPv6. Undefined for a trusted proxy. */
  readonly group: string | undefined;
}

/** Finds clients, also behind the proxies that are trusted. */
export interface Proxies {
  /**
   * Gives the client of a connection from `peer`. Behind a trusted proxy it is the last entry of `forwarded`
   * (X-Forwarded-For) that is not a trusted proxy itself. Entries before an unreadable one are not believed.
   */
  clientOf(peer: string | undefined, forwarded?: string | readonly string[]): Client;
  /**
   * Gives the hosts that the client may have asked for, each with its port unless that is the default one. It is the Host
   * header. Behind a trusted proxy it is the last entry of X-Forwarded-Host, if there is one; a host without a port may
   * also have the last one of X-Forwarded-Port. A caller must know the Host header too: a proxy may pass on the other
   * headers as a client made them up.
   */
  askedHosts(peer: string | undefined, headers: IncomingHttpHeaders): readonly string[];
}

/** Reads an address. Undefined if it is not one. A zone, as in `fe80::1%eth0`, is dropped. */
function readAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, "");
  const version = isIP(bare);
  if (version !== 6) return version === 4 ? bare : undefined;
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(shortest) ?? [];
  if (high === undefined || low === undefined) return shortest;
  return [high, low].flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 0xff]).join(".");
}

/** Reads an entry of X-Forwarded-For: an address, perhaps in quotes or brackets and with a port. */
function readEntry(entry: string): string | undefined {
  const bare = entry.replaceAll('"', "").trim();
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(bare) ?? [];
  return readAddress(bracketed ?? bare.replace(/^([^:]*):\d+$/, "$1"));
}

/** Gives the name under which limits count an address. A host of IPv6 has all addresses of its /64 network. */
function groupOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail?.split(":") ?? [];
  const zeros = Array.from<string>({ length: 8 - left.length - right.length }).fill("0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}

/** Reads an address or a network. Undefined for anything else. */
function readNetwork(item: string): { readonly address: string; readonly bits: number } | undefined {
  const [, text = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(item) ?? [];
  const address = readAddress(text);
  if (address === undefined) return undefined;
  const most = isIP(address) === 4 ? 32 : 128;
  if (length === undefined) return { address, bits: most };
  // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
  const bits = Number(length) - (text.includes(":") && most === 32 ? 96 : 0);
  return bits >= 0 && bits <= most ? { address, bits } : undefined;
}

/** Comma-separated addresses and networks (CIDR). Invalid ones are refused by their position. */
export const proxyList = z
  .string()
  .transform((value, context) => {
    const items = value.split(",").map((item) => item.trim());
    for (const [index, item] of items.entries()) {
      if (readNetwork(item) !== undefined) continue;
      const message = `item ${index + 1} must be an IP address or a network such as 10.0.0.0/8`;
      context.addIssue({ code: "custom", message });
    }
    return items;
  })
  .default([]);

/** Creates the table of trusted proxies from items that `proxyList` accepts. */
export function createProxies(items: readonly string[] = []): Proxies {
  const list = new BlockList();
  for (const item of items) {
    const { address, bits } = readNetwork(item) ?? {};
    if (address !== undefined && bits !== undefined) list.addSubnet(address, bits, familyOf(address));
  }
  const isTrusted = (address: string) => isIP(address) > 0 && list.check(address, familyOf(address));
  return {
    clientOf(peer, forwarded) {
      let address = readAddress(peer ?? "") ?? "";
      if (!isTrusted(address)) return { address, group: groupOf(address) };
      const entries = String(forwarded ?? "").split(",");
      for (const entry of entries.toReversed()) {
        const before = readEntry(entry);
        if (before === undefined) break;
        address = before;
        if (!isTrusted(address)) return { address, group: groupOf(address) };
      }
      return { address, group: undefined };
    },
    askedHosts(peer, headers) {
      const { host = "" } = headers;
      if (!isTrusted(readAddress(peer ?? "") ?? "")) return [host];
      const asked = lastEntry(headers["x-forwarded-host"]) || host;
      const port = lastEntry(headers["x-forwarded-port"]);
      return /:\d+$/.test(asked) || !/^\d{1,5}$/.test(port) ? [asked] : [asked, `${asked}:${port}`];
    },
  };
}

const lastEntry = (header: string | readonly string[] | undefined) =>
  String(header ?? "")
    .split(",")
    .at(-1)!
    .trim();

const familyOf = (address: string) => (isIP(address) === 4 ? "ipv4" : "ipv6");
