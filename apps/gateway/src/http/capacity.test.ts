import { expect, it } from "vitest";
import { createAdmission, type AdmissionOptions } from "./capacity.ts";

const create = (options: Partial<AdmissionOptions> = {}) =>
  createAdmission({
    maxConnections: 10_000,
    maxStrangers: 10_000,
    maxPerAddress: 10_000,
    maxConnectsPerSecond: 10_000,
    connections: () => 0,
    strangers: () => 0,
    connected: () => true,
    draining: () => false,
    ...options,
  });

it("admission: no more connections, and no more strangers, than there may be", () => {
  let connections = 2;
  let strangers = 0;
  const door = create({
    maxConnections: 3,
    maxStrangers: 2,
    connections: () => connections,
    strangers: () => strangers,
  });
  expect(door.refuse("10.0.0.1")).toBeUndefined();
  connections = 3;
  expect(door.refuse("10.0.0.1")).toBe("too-many");
  connections = 2;
  strangers = 2;
  expect(door.refuse("10.0.0.1")).toBe("too-many");
});

it("admission: an address has its own limit, which no other one uses up, and who leaves makes room", () => {
  const door = create({ maxPerAddress: 2 });
  const leave = door.enter("10.0.0.1");
  door.enter("10.0.0.1");
  expect(door.refuse("10.0.0.1")).toBe("too-many");
  expect(door.refuse("10.0.0.2")).toBeUndefined();
  leave();
  expect(door.refuse("10.0.0.1")).toBeUndefined();
});

it("admission: this machine's own connections, as those of a proxy, count for no address", () => {
  const door = create({ maxPerAddress: 1 });
  door.enter("127.0.0.1");
  door.enter("::1");
  expect([door.refuse("127.0.0.1"), door.refuse("::1")]).toEqual([undefined, undefined]);
});

it("admission: twice as many at once as may come in a second, and then no more; what is refused uses nothing up", () => {
  let connections = 1;
  const door = create({ maxConnectsPerSecond: 1, maxConnections: 1, connections: () => connections });
  for (let n = 0; n < 100; n += 1) expect(door.refuse("10.0.0.1")).toBe("too-many");
  connections = 0;
  expect([1, 2, 3].map(() => door.refuse("10.0.0.1"))).toEqual([undefined, undefined, "too-many"]);
});

it("admission: nobody comes in while the gateway drains or NATS is away, and each has its name", () => {
  expect(create({ draining: () => true }).refuse("10.0.0.1")).toBe("draining");
  expect(create({ connected: () => false }).refuse("10.0.0.1")).toBe("bus-away");
});
