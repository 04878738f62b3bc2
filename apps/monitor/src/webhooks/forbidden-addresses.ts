import { lookup as resolve, type LookupAddress, type LookupOptions } from "node:dns";
import { BlockList, isIP } from "node:net";

/**
 * Addresses to which nothing is posted: link-local ones, under which clouds give their machines' credentials away, and
 * those that such clouds use besides.
 */
const forbidden = new BlockList();
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("0.0.0.0", 8, "ipv4");
forbidden.addAddress("100.100.100.200", "ipv4");
forbidden.addAddress("168.63.129.16", "ipv4");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addAddress("fd00:ec2::254", "ipv6");
forbidden.addAddress("fd20:ce::254", "ipv6");
// The same IPv4 addresses behind NAT64.
forbidden.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
forbidden.addSubnet("64:ff9b::", 104, "ipv6");
forbidden.addAddress("64:ff9b::6464:64c8", "ipv6");
forbidden.addAddress("64:ff9b::a83f:8110", "ipv6");

/** A webhook's host has only addresses to which nothing is posted. */
export class ForbiddenAddressError extends Error {
  override readonly name = "ForbiddenAddressError";
  readonly code = "FORBIDDEN_ADDRESS";
}

/** True for an IP address to which nothing is posted. */
export function isForbidden(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  return forbidden.check(address, version === 6 ? "ipv6" : "ipv4");
}

/** True for a URL whose host is an IP address to which nothing is posted. */
export function hasForbiddenHost({ hostname }: URL): boolean {
  return isForbidden(hostname.replace(/^\[|\]$/g, ""));
}

type Found = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * Looks a host up as `dns.lookup` does, without its forbidden addresses. So the address that is checked is the one that
 * is connected to, whatever the name service answers next time.
 */
export function lookupAllowed(host: string, options: LookupOptions, found: Found): void {
  resolve(host, { ...options, all: true }, (error, addresses) => {
    if (error) return found(error, []);
    const allowed = addresses.filter(({ address }) => !isForbidden(address));
    const [first] = allowed;
    if (first === undefined) return found(new ForbiddenAddressError("every address of the host is forbidden"), []);
    if (options.all === true) return found(null, allowed);
    return found(null, first.address, first.family);
  });
}
