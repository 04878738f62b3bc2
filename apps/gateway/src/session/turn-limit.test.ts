import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestGateways, readStats, untilControl, watchInbound, type TestGateways } from "../test-gateways.ts";
import { createTurnBudget } from "./turn-budget.ts";

let gateways: TestGateways;
let bus: Bus;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus } = gateways);
  one = await gateways.start({ VOXBUS_MAX_TURNS_MIN: "20" });
});
afterAll(() => gateways.stop());

const isAlert = ({ type }: Readonly<Record<string, unknown>>) => type === "alert";

it("turns: typed text over 20 a minute is dropped, the device is told once, and a new connection does not help", async () => {
  const inbound = await watchInbound(bus, "chatty");
  const device = await gateways.connect(one, { id: "chatty" });
  const before = (await readStats(one)).drops["turn-rate"] ?? 0;
  for (let n = 0; n < 23; n += 1) device.send({ type: "listen", state: "detect", text: `question ${n}` });
  expect(await device.next(isAlert)).toMatchObject({ status: "Wait", message: expect.any(String), emotion: "neutral" });
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  const again = await gateways.connect(one, { id: "chatty" });
  again.send({ type: "listen", state: "detect", text: "once more" });
  again.send({ type: "ping" });
  await again.next(({ type }) => type === "pong");
  expect((await readStats(one)).drops["turn-rate"]).toBe(before + 4);
  expect(device.received.filter((item) => "json" in item && isAlert(item.json))).toHaveLength(1);
  expect(again.received.filter((item) => "json" in item && isAlert(item.json))).toHaveLength(0);
  await expect.poll(() => inbound.all.filter(({ kind }) => kind === "text").length).toBe(20);
});

it("turns: in auto mode a turn is a listen with its transcript, and the next listen waits for its turn", async () => {
  const inbound = await watchInbound(bus, "talker");
  const device = await gateways.connect(one, { id: "talker" });
  const { session } = await untilControl(inbound, "opened");
  const listens = () => inbound.all.filter(({ kind, body }) => kind === "control" && body.type === "listen");
  for (let turn = 1; turn <= 20; turn += 1) {
    device.send({ type: "listen", state: "start", mode: "auto" });
    await expect.poll(() => listens().length).toBe(turn);
    const origin = listens().at(-1)?.seq ?? 0;
    const stt = { session, origin, kind: "text" as const, body: { type: "stt" as const, text: `turn ${turn}` } };
    bus.publish(channels.out("talker"), stt);
    await device.next(({ type, text }) => type === "stt" && text === `turn ${turn}`);
  }
  device.send({ type: "listen", state: "start", mode: "auto" });
  device.send(new Uint8Array([0xf8]));
  await device.next(isAlert);
  expect(listens()).toHaveLength(20);
  // The budget regains a turn every 3 s.
  await expect.poll(() => listens().length, { timeout: 6000 }).toBe(21);
});

it("turns: further utterances of a realtime listen count, and one over the budget is fenced", async () => {
  const inbound = await watchInbound(bus, "singer");
  const device = await gateways.connect(one, { id: "singer" });
  const { session } = await untilControl(inbound, "opened");
  device.send({ type: "listen", state: "start", mode: "realtime" });
  for (let n = 0; n < 25; n += 1) device.send(new Uint8Array([0xf8]));
  await expect.poll(() => inbound.all.length).toBe(27);
  for (let origin = 3; origin <= 23; origin += 1) {
    const body = { type: "stt" as const, text: `utterance ${origin - 2}` };
    bus.publish(channels.out("singer"), { session, origin, kind: "text", body });
  }
  await device.next(isAlert);
  const fence = await untilControl(inbound, "fence");
  expect(fence.body).toMatchObject({ fence: 23 });
  const texts = device.received.flatMap((item) => ("json" in item && item.json["type"] === "stt" ? [item.json] : []));
  expect(texts).toHaveLength(20);
});

it("turn budget: it is whole again after a quiet minute, and forgets devices", () => {
  const budget = createTurnBudget(2);
  expect([0, 0, 0].map((now) => budget.take("a", now))).toEqual([true, true, false]);
  expect([0, 0].map((now) => budget.mustTell("a", now))).toEqual([true, false]);
  expect([30_000, 30_000].map((now) => budget.take("a", now))).toEqual([true, false]);
  for (let n = 0; n < 30_000; n += 1) budget.take(`other-${n}`, 30_000);
  expect([30_000, 30_000, 30_000].map((now) => budget.take("a", now))).toEqual([true, true, false]);
});
