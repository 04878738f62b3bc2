import { promisify } from "node:util";
import type { LookupAddress, LookupOptions } from "node:dns";
import { expect, test } from "vitest";
import { isForbidden, lookupAllowed } from "./forbidden-addresses.ts";

const lookup = promisify(lookupAllowed) as unknown as (
  host: string,
  options: LookupOptions,
) => Promise<string | readonly LookupAddress[]>;

test("forbidden addresses: those of a cloud's machine, in each notation, and no other", () => {
  const forbidden = [
    "169.254.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "::ffff:169.254.169.254",
    "fe80::1",
    "febf::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::1",
    "64:ff9b::6464:64c8",
    "64:ff9b::a83f:8110",
  ];
  expect(forbidden.filter(isForbidden)).toEqual(forbidden);
  const allowed = [
    "127.0.0.1",
    "192.168.1.20",
    "10.0.0.1",
    "169.253.255.255",
    "::1",
    "fec0::1",
    "2001:db8::1",
    "64:ff9b::c0a8:114",
    "hook.example",
  ];
  expect(allowed.filter(isForbidden)).toEqual([]);
});

test("forbidden addresses: a name is looked up to the addresses that are left, and refused without any", async () => {
  expect(await lookup("127.0.0.1", {})).toBe("127.0.0.1");
  expect(await lookup("127.0.0.1", { all: true })).toEqual([{ address: "127.0.0.1", family: 4 }]);
  await expect(lookup("169.254.169.254", {})).rejects.toMatchObject({ code: "FORBIDDEN_ADDRESS" });
});
