import { expect, test } from "vitest";
import { createTurnColors, isTurn, turnOf } from "./turn.ts";

const partial = (from: number, origin: number) => ({
  session: "s1",
  listen: 1,
  utterance: from,
  from,
  origin,
  text: "a",
});

test.each([
  [{ session: "s1", origin: 7, kind: "text", body: { type: "stt" } }, "s1:7"],
  [{ session: "s1", seq: 7, at: 1, kind: "text", body: "hello" }, "s1:7"],
  [{ session: "s1", at: 1, turn: { origin: 7, reply: "s1:7" } }, "s1:7"],
  [{ session: "s1", at: 1, turn: { reply: "r1" } }, "r1"],
  [{ session: "s1", kind: "control", body: { type: "resend", origin: 7, reply: "r1" } }, "s1:7"],
  [{ reply: "r1", sentence: 0, text: "Dinner." }, "r1"],
  [{ session: "s1", seq: 7, at: 1, kind: "audio", body: Uint8Array.of(1) }, undefined],
  [{ session: "s1", at: 1, state: "active" }, undefined],
])("turn: of %j it is %s", (message, key) => {
  expect(turnOf(message)?.key).toBe(key);
});

test("turn: is named by its origin, its session and origin, or its reply", () => {
  const turn = turnOf({ session: "s1", origin: 7, reply: "r1" });
  for (const name of ["7", "s1:7", "r1"]) expect(isTurn(turn, name)).toBe(true);
  for (const name of ["8", "s2:7", "r", ""]) expect(isTurn(turn, name)).toBe(false);
  expect(isTurn(undefined, "undefined")).toBe(false);
});

test("colors: a spoken turn has one color from its first partial transcript to its end, whichever message is next", () => {
  const colorOf = createTurnColors();
  const color = colorOf("heard.partial", partial(3, 4));
  expect(colorOf("heard.partial", partial(3, 9))).toBe(color);
  expect(colorOf("out", { session: "s1", origin: 12, kind: "text", body: { type: "stt" } })).toBe(color);
  expect(colorOf("heard", { ...partial(3, 12), language: "en" })).toBe(color);
  expect(colorOf("say", { session: "s1", origin: 12, reply: "r1" })).toBe(color);
  const next = colorOf("heard.partial", partial(20, 21));
  expect(next).not.toBe(color);
  expect(colorOf("out", { session: "s1", origin: 12, kind: "audio" })).toBe(color);
  expect(colorOf("in.text", { session: "s1", seq: 25, kind: "text", body: "hi" })).not.toBe(next);
  expect(colorOf("say", { reply: "announced" })).not.toBe(next);
});

test("colors: of many turns the oldest is forgotten", () => {
  const colorOf = createTurnColors();
  const ask = (seq: number) => colorOf("in.text", { session: "s1", seq, kind: "text", body: "hi" });
  const first = ask(1);
  for (let seq = 2; seq <= 1001; seq += 1) ask(seq);
  // 1001 turns have taken every color in its order. The first one now takes the next.
  expect(ask(1)).not.toBe(first);
  expect(ask(1001)).toBe(first);
});
