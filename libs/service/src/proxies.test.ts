import { describe, expect, it } from "vitest";
import { isOriginOf } from "./hosts.ts";
import { createProxies, proxyList } from "./proxies.ts";

const proxies = createProxies(["10.0.0.0/8", "192.168.7.9", "fd00::/8", "::ffff:172.16.0.0/108"]);
const find = (peer: string, forwarded?: string | readonly string[]) => proxies.clientOf(peer, forwarded);

describe("clients", () => {
  it.each([
    ["without a proxy", "203.0.113.5", undefined, "203.0.113.5"],
    ["an untrusted peer's header is not believed", "203.0.113.5", "198.51.100.1", "203.0.113.5"],
    ["this machine is an address as any other", "127.0.0.1", "198.51.100.1", "127.0.0.1"],
    ["a mapped peer", "::ffff:203.0.113.5", "198.51.100.1", "203.0.113.5"],
    ["behind a proxy", "10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["behind a mapped proxy", "::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["behind a single address", "192.168.7.9", "198.51.100.1", "198.51.100.1"],
    ["beside a single address", "192.168.7.8", "198.51.100.1", "192.168.7.8"],
    ["behind a proxy listed as mapped", "172.31.0.1", "198.51.100.1", "198.51.100.1"],
    ["behind a proxy of IPv6", "fd12::1", "2001:DB8:0:0::1", "2001:db8::1"],
    ["behind two proxies", "10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"],
    ["entries that the client made up", "10.1.2.3", "1.1.1.1, 10.0.0.1, 198.51.100.1", "198.51.100.1"],
    ["several headers", "10.1.2.3", ["1.1.1.1", "198.51.100.1, 10.9.9.9"], "198.51.100.1"],
    ["a port", "10.1.2.3", "198.51.100.1:4711", "198.51.100.1"],
    ["IPv6 in brackets with a port", "10.1.2.3", '"[2001:db8::1]:4711"', "2001:db8::1"],
    ["IPv6 in brackets", "10.1.2.3", "[2001:db8::1]", "2001:db8::1"],
    ["a mapped entry", "10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"],
    ["a mapped entry in hexadecimal", "10.1.2.3", "::ffff:c633:6401", "198.51.100.1"],
    ["a zone", "10.1.2.3", "fe80::1%eth0", "fe80::1"],
    ["a mapped trusted entry", "10.1.2.3", "198.51.100.1, ::ffff:10.9.9.9", "198.51.100.1"],
  ])("%s", (_case, peer, forwarded, address) => {
    expect(find(peer, forwarded)).toEqual({ address, group: expect.stringContaining(address.split("::")[0] ?? "") });
  });

  it.each([
    ["without the header", undefined, "10.1.2.3"],
    ["with an empty one", "", "10.1.2.3"],
    ["when every entry is trusted", "10.5.5.5, 10.6.6.6", "10.5.5.5"],
    ["with garbage", "unknown", "10.1.2.3"],
    ["with garbage before a trusted entry", "1.1.1.1, _hidden, 10.9.9.9", "10.9.9.9"],
    ["with a number", "2130706433", "10.1.2.3"],
    ["with half an address", "198.51.100", "10.1.2.3"],
  ])("a trusted proxy %s: counts for no address", (_case, forwarded, address) => {
    expect(find("10.1.2.3", forwarded)).toEqual({ address, group: undefined });
  });

  it("IPv6: a /64 network counts as one address", () => {
    const group = (address: string) => find(address).group;
    expect(group("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
    expect(group("2001:db8:1:2::9")).toBe("2001:db8:1:2::/64");
    expect(group("2001:db8::9")).toBe("2001:db8:0:0::/64");
    expect(group("::1")).toBe("0:0:0:0::/64");
    expect(group("2001:db8:1:3::9")).not.toBe(group("2001:db8:1:2::9"));
  });

  it("a connection that is gone has no address", () => {
    expect(proxies.clientOf(undefined)).toEqual({ address: "", group: "" });
  });
});

describe("hosts", () => {
  const asked = (headers: Record<string, string>, peer = "10.1.2.3") =>
    proxies.askedHosts(peer, { host: "inside:8080", ...headers });

  it.each([
    ["without a forwarded host", {}, ["inside:8080"]],
    ["a forwarded host", { "x-forwarded-host": "voice.example" }, ["voice.example"]],
    ["several proxies", { "x-forwarded-host": "made.up, voice.example" }, ["voice.example"]],
    ["an empty header", { "x-forwarded-host": " " }, ["inside:8080"]],
    ["its port", { "x-forwarded-host": "voice.example:8443", "x-forwarded-port": "80" }, ["voice.example:8443"]],
    [
      "a port of its own",
      { "x-forwarded-host": "voice.example", "x-forwarded-port": "1, 8443" },
      ["voice.example", "voice.example:8443"],
    ],
    ["a port beside Host", { host: "[::1]", "x-forwarded-port": "8443" }, ["[::1]", "[::1]:8443"]],
    ["no port", { "x-forwarded-host": "voice.example", "x-forwarded-port": "https" }, ["voice.example"]],
  ])("behind a trusted proxy: %s", (_case, headers, hosts) => expect(asked(headers)).toEqual(hosts));

  it("an untrusted peer's headers are not believed", () => {
    expect(asked({ "x-forwarded-host": "voice.example", "x-forwarded-port": "8443" }, "203.0.113.5")).toEqual([
      "inside:8080",
    ]);
  });

  it.each([
    ["https://voice.example", ["voice.example:443"], true],
    ["http://voice.example:8443", ["VOICE.example:8443"], true],
    ["https://voice.example:8443", ["voice.example"], false],
    ["https://voice.example", ["made.up@voice.example"], false],
    ["null", ["null", ""], false],
  ])("the origin %s is of %j: %s", (origin, hosts, own) => expect(isOriginOf(origin, hosts)).toBe(own));
});

describe("VOXBUS_TRUSTED_PROXIES", () => {
  it.each(["10.0.0.0/8", "127.0.0.1, ::1", "fd00::/8,::ffff:10.0.0.0/104", "0.0.0.0/0", "10.1.2.3/8"])(
    "%s: is accepted",
    (value) => expect(proxyList.safeParse(value).success).toBe(true),
  );

  it.each([
    ["proxy.example", 1],
    ["10.0.0.0/8,", 2],
    ["10.0.0.0/33", 1],
    ["10.0.0.1,fd00::/129", 2],
    ["::ffff:10.0.0.0/95", 1],
    ["10.0.0.0/", 1],
    ["10.0.0.0/8/8", 1],
    ["10.0.0", 1],
    ["10.0.0.1,10.0.0.2,10.0.0.1:80", 3],
  ])("%s: item %i is named", (value, position) => {
    expect(proxyList.safeParse(value).error?.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining(`item ${position} `),
    ]);
  });

  it("a network may be written with any of its addresses", () => {
    expect(createProxies(["10.1.2.3/8"]).clientOf("10.200.0.1", "198.51.100.1").address).toBe("198.51.100.1");
  });
});
