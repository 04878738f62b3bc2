import { decodeDatagramHeader } from "@voxbus/protocol";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { UdpChannel } from "./udp-channel.ts";

const home = { address: "192.168.1.7", port: 4000 };
const foreign = { address: "203.0.113.9", port: 4000 };
const headerOf = (seq: number) => ({ flags: 0, ssrc: 0, size: 4, timestamp: 0, seq });

it("takes nothing from another address than that of MQTT, unless any may send", () => {
  const channel = new UdpChannel(home.address, 0);
  expect(channel.judge(headerOf(1), foreign, 0)).toBe("udp-foreign");
  expect(channel.peer).toBeUndefined();
  expect(channel.judge(headerOf(1), home, 0)).toBeUndefined();
  for (const seq of [2, 3, 4, 5]) expect(channel.judge(headerOf(seq), foreign, 0)).toBe("udp-foreign");
  expect(channel.peer).toEqual(home);
  expect(new UdpChannel(undefined, 0).judge(headerOf(1), foreign, 0)).toBeUndefined();
});

it("takes each seq once, in order, and none that a device cannot have reached", () => {
  const channel = new UdpChannel(undefined, 0);
  const judge = (seq: number, now: number) => channel.judge(headerOf(seq), home, now);
  expect([judge(150, 0), judge(150, 0), judge(149, 0), judge(151, 0)]).toEqual([
    undefined,
    "udp-replay",
    "udp-replay",
    "udp-jump",
  ]);
  expect([judge(0xffff_ffff, 1000), judge(200, 1000), judge(201, 1000)]).toEqual(["udp-jump", undefined, "udp-jump"]);
});

it("shares no part of a key stream among datagrams of either direction, whatever their lengths", () => {
  const blocks = (datagram: Uint8Array) => Math.ceil((datagram.byteLength - 16) / 16);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }), (sizes) => {
      const channel = new UdpChannel(undefined, 0);
      const counters = sizes.flatMap((size) => {
        const datagram = channel.encrypt(Buffer.alloc(size, 0x58));
        const first = BigInt(`0x${Buffer.from(datagram.subarray(0, 16)).toString("hex")}`);
        return Array.from({ length: blocks(datagram) }, (_, at) => first + BigInt(at));
      });
      expect(new Set(counters).size).toBe(counters.length);
      const { flags } = decodeDatagramHeader(channel.encrypt(Buffer.from([0x58])));
      expect(flags).not.toBe(channel.flags);
    }),
    { numRuns: 50 },
  );
});
