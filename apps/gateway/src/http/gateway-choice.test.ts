import type { GatewayLease } from "@voxbus/protocol";
import { expect, it } from "vitest";
import { chooseGateway } from "./gateway-choice.ts";

const lease = (id: string, room: number | undefined, more: Partial<GatewayLease> = {}): GatewayLease => ({
  id,
  epoch: "e",
  address: "http://10.0.0.1:8000",
  url: `wss://${id}.example/`,
  load: { connections: 0, speaking: 0, room },
  draining: false,
  since: 0,
  ...more,
});

/** Sends 5,000 devices, whose random numbers are spread evenly, and counts them by gateway. */
function send(leases: readonly GatewayLease[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 5000; i += 1) {
    const url = chooseGateway(leases, () => i / 5000) ?? "none";
    counts[url] = (counts[url] ?? 0) + 1;
  }
  return counts;
}

it("5,000 devices that ask at once: each gateway gets as many as its share of the room", () => {
  const leases = [lease("a", 1000), lease("b", 3000), lease("c", 0), lease("d", 1000)];
  expect(send(leases)).toEqual({ "wss://a.example/": 1000, "wss://b.example/": 3000, "wss://d.example/": 1000 });
});

it("a gateway that drains, is full, or tells no URL or no room: gets none", () => {
  const others = [
    lease("drains", 9000, { draining: true }),
    lease("full", 0),
    lease("no-url", 9000, { url: undefined }),
    lease("older", undefined),
  ];
  expect(send([...others, lease("a", 1)])).toEqual({ "wss://a.example/": 5000 });
  expect(send(others)).toEqual({ none: 5000 });
  expect(send([])).toEqual({ none: 5000 });
});
