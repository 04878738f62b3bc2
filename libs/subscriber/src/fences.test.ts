import type { InControl } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createFences, FencedError, type Fences } from "./fences.ts";

const handle = (fences: Fences, seq: number, body: InControl, session = "s") =>
  fences.handle({ session, seq, at: 0, kind: "control", body });

test("fences: abort, fence and closed reach the turns at or below them, before and after", () => {
  const fences = createFences();
  const [five, nine, ten] = [5, 9, 10].map((origin) => fences.watch({ session: "s", origin }));
  handle(fences, 5, { type: "abort" });
  handle(fences, 6, { type: "fence", fence: 4 });
  expect([five, nine].map((watch) => watch?.signal.aborted)).toEqual([true, false]);
  handle(fences, 12, { type: "fence", fence: 9 });
  expect([nine, ten].map((watch) => watch?.signal.aborted)).toEqual([true, false]);
  expect(fences.watch({ session: "s", origin: 9 }).signal.reason).toBeInstanceOf(FencedError);
  ten?.close();
  handle(fences, 13, { type: "closed", code: 1000, reason: "gone" });
  expect(ten?.signal.aborted).toBe(false);
  expect(fences.watch({ session: "s", origin: 99 }).signal.aborted).toBe(true);
  expect(fences.watch({ session: "t", origin: 1 }).signal.aborted).toBe(false);
});

test("fences: a long session keeps its fence while many others come and go", () => {
  const fences = createFences();
  handle(fences, 5, { type: "abort" }, "long");
  handle(fences, 5, { type: "abort" }, "short");
  for (let i = 0; i < 210_000; i += 1) {
    handle(fences, 5, { type: "abort" }, `other-${i}`);
    if (i % 10_000 === 0) expect(fences.of("long")).toBe(5);
  }
  expect(fences.of("short")).toBe(0);
});
