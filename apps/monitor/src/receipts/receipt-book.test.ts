import { getEventListeners } from "node:events";
import { receiptReportMs, type TurnOutcome } from "@voxbus/protocol";
import { ulid } from "ulid";
import { beforeEach, expect, test, vi } from "vitest";
import type { ApiEvent } from "../events/api-event.ts";
import { createReceiptBook, keptMs, nameReply, type ReceiptBook } from "./receipt-book.ts";

let now = 0;
let book: ReceiptBook;
const { signal } = new AbortController();

beforeEach(() => {
  now = 0;
  book = createReceiptBook(
    (device) => device !== "plain",
    () => now,
  );
});

const shared = (device: string) => ({ key: "k", at: 0, device, session: "s1", gateway: "g1" });
const receipt = (device: string, reply: string, result: "delivered" | "unanswered" | "expired"): ApiEvent => ({
  ...shared(device),
  kind: "receipt",
  reply,
  result,
});
const turn = (device: string, reply: string, outcome: TurnOutcome, origin?: number): ApiEvent => ({
  ...shared(device),
  kind: "turn",
  reply,
  outcome,
  ...(origin !== undefined && { origin }),
});

test("receipts: an announcement to many devices has the result of each", () => {
  const devices = ["asleep", "away", "talking", "cut", "plain", "slow"];
  const id = ulid();
  const reply = (device: string) => nameReply(id, devices.indexOf(device));
  book.open(id, devices);
  book.note(turn("asleep", reply("asleep"), "no-channel"));
  book.note(receipt("asleep", reply("asleep"), "delivered"));
  book.note(receipt("away", reply("away"), "expired"));
  book.note(turn("away", reply("away"), "no-channel"));
  book.note(turn("talking", reply("talking"), "played"));
  book.note(turn("cut", reply("cut"), "fenced"));
  book.note(turn("plain", reply("plain"), "no-channel"));
  book.note(turn("slow", "s1:7", "played", 7));
  const all = [
    { device: "asleep", result: "delivered" },
    { device: "away", result: "expired" },
    { device: "talking", result: "spoken", outcome: "played" },
    { device: "cut", result: "not-spoken", outcome: "fenced" },
    { device: "plain", result: "sent" },
    { device: "slow", result: "waiting" },
  ];
  // Events name the reply of one device.
  for (const name of [id, reply("cut")]) expect(book.read(name)).toEqual(all);
});

test("receipts: the replies of other programs are told apart by their whole names", () => {
  book.note(receipt("d1", "bell-1", "delivered"));
  book.note(receipt("d1", "bell-2", "expired"));
  expect(book.read("bell-1")).toEqual([{ device: "d1", result: "delivered" }]);
  expect(book.read("bell")).toBeUndefined();
});

test("receipts: a device whose gateway is silent counts as unanswered after a time", () => {
  book.open("m1", ["d1"], ["d2"], receiptReportMs);
  book.open("a1", ["d1"]);
  book.note(turn("d1", "a1", "no-channel"));
  now = receiptReportMs - 1;
  expect(book.read("m1")).toEqual([
    { device: "d1", result: "waiting" },
    { device: "d2", result: "sent" },
  ]);
  now = receiptReportMs;
  for (const id of ["m1", "a1"]) expect(book.read(id)?.[0]).toEqual({ device: "d1", result: "unanswered" });
});

test("receipts: those of what another monitor sent are known, too, and all are forgotten after their time", async () => {
  book.note(receipt("d1", "a1", "delivered"));
  now = keptMs - 1;
  expect(await book.wait("a1", 0, signal)).toEqual([{ device: "d1", result: "delivered" }]);
  now = keptMs;
  expect(book.read("a1")).toBeUndefined();
});

test("receipts: the oldest are forgotten when there are very many devices", () => {
  const many = Array.from({ length: 150_000 }, (_, at) => `d${at}`);
  book.open("a1", many);
  book.open("a2", many);
  expect(book.read("a1")).toBeUndefined();
  expect(book.read("a2")).toHaveLength(many.length);
});

test("receipts: a wait ends with the last receipt, with its time, or with its caller", async () => {
  const real = createReceiptBook(() => true);
  real.open("a1", ["d1", "d2"]);
  const waiting = real.wait("a1", 60_000, signal);
  real.note(receipt("d1", "a1", "delivered"));
  real.note(receipt("d2", "a1", "unanswered"));
  expect((await waiting)?.map(({ result }) => result)).toEqual(["delivered", "unanswered"]);
  real.open("a2", ["d1"]);
  expect(await real.wait("a2", 50, signal)).toEqual([{ device: "d1", result: "waiting" }]);
  expect(await real.wait("a2", 60_000, AbortSignal.abort())).toEqual([{ device: "d1", result: "waiting" }]);
  const early = real.wait("a3", 60_000, signal);
  real.note(receipt("d1", "a3", "delivered"));
  expect(await early).toEqual([{ device: "d1", result: "delivered" }]);
  expect(await real.wait("a4", 0, signal)).toBeUndefined();
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("receipts: a wait that looks again leaves nothing on its signal", async () => {
  const any = vi.spyOn(AbortSignal, "any");
  await createReceiptBook(() => true).wait("a1", 300, signal);
  expect(any).not.toHaveBeenCalled();
  any.mockRestore();
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
