import { expect, it } from "vitest";
import type { Limits } from "../limits.ts";
import { createCapacity, measureRoom, type CapacityState } from "./capacity.ts";

const plenty = {
  connections: 10_000,
  idleConnections: 10_000,
  pending: 10_000,
  perAddress: 10_000,
  connectsPerSecond: 10_000,
};

const create = (limits: Partial<Limits> = {}, state: Partial<CapacityState> = {}) =>
  createCapacity(
    { ...plenty, ...limits },
    {
      connections: () => 0,
      idle: () => 0,
      pending: () => 0,
      connected: () => true,
      draining: () => false,
      outOfMemory: () => false,
      overloaded: () => false,
      ...state,
    },
  );

it("capacity: neither connections nor pending ones exceed their limit", () => {
  let connections = 2;
  let pending = 0;
  const capacity = create({ connections: 3, pending: 2 }, { connections: () => connections, pending: () => pending });
  expect(capacity.refuse("10.0.0.1")).toBeUndefined();
  connections = 3;
  expect(capacity.refuse("10.0.0.1")).toBe("too-many");
  connections = 2;
  pending = 2;
  expect(capacity.refuse("10.0.0.1")).toBe("too-many");
});

it("capacity: each address has a limit of its own, and a connection that ends makes room", () => {
  const capacity = create({ perAddress: 2 });
  const leave = capacity.enter("10.0.0.1");
  capacity.enter("10.0.0.1");
  expect(capacity.refuse("10.0.0.1")).toBe("too-many");
  expect(capacity.refuse("10.0.0.2")).toBeUndefined();
  leave();
  expect(capacity.refuse("10.0.0.1")).toBeUndefined();
});

it("capacity: connections without an address of their own, such as a proxy's, count only in all", () => {
  const capacity = create({ perAddress: 1 });
  capacity.enter(undefined);
  capacity.enter(undefined);
  expect(capacity.refuse(undefined)).toBeUndefined();
});

it("capacity: a burst is twice the rate, and a refused connection uses nothing up", () => {
  let connections = 1;
  const capacity = create({ connectsPerSecond: 1, connections: 1 }, { connections: () => connections });
  for (let n = 0; n < 100; n += 1) expect(capacity.refuse("10.0.0.1")).toBe("too-many");
  connections = 0;
  expect([1, 2, 3].map((n) => capacity.refuse(`10.0.0.${n}`))).toEqual([undefined, undefined, "too-many"]);
});

it("capacity: an address that connects again and again leaves half of the rate to others", () => {
  const capacity = create({ connectsPerSecond: 10 });
  const connect = (group: string | undefined) => Array.from({ length: 6 }, () => capacity.refuse(group));
  for (const group of ["10.0.0.1", "10.0.0.2"]) {
    expect(connect(group)).toEqual([undefined, undefined, undefined, undefined, undefined, "too-many"]);
  }
  expect(connect(undefined)).toEqual(Array.from({ length: 6 }));
});

it("capacity: every connection is refused by name while the gateway drains or NATS is away", () => {
  expect(create({}, { draining: () => true }).refuse("10.0.0.1")).toBe("draining");
  expect(create({}, { outOfMemory: () => true }).refuse("10.0.0.1")).toBe("out-of-memory");
  expect(create({}, { overloaded: () => true }).refuse("10.0.0.1")).toBe("overloaded");
  expect(create({}, { connected: () => false }).refuse("10.0.0.1")).toBe("bus-away");
});

it("room: is what is free up to nine tenths of the connections, and 0 while the gateway takes none", () => {
  const idle = { connections: () => 0, connected: () => true, outOfMemory: () => false, overloaded: () => false };
  const room = (state: Partial<typeof idle> = {}) => measureRoom({ connections: 1000 }, { ...idle, ...state });
  expect(room()).toBe(900);
  expect(room({ connections: () => 899 })).toBe(1);
  expect(room({ connections: () => 950 })).toBe(0);
  expect(room({ connected: () => false })).toBe(0);
  expect(room({ outOfMemory: () => true })).toBe(0);
  expect(room({ overloaded: () => true })).toBe(0);
});
