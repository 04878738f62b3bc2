import { describe, expect, it } from "vitest";
import { countLateness, createCounters, latenessMs } from "./counters.ts";
import { TurnTimes, type TurnMeter } from "./turn-times.ts";

const played = { complete: true, fenced: 0, dropped: 0, late: 0 };

function follow() {
  const told: [what: string, ms: number, label: string][] = [];
  const meter: TurnMeter = {
    record: (what, ms, kind) => told.push([what, Math.round(ms / 100) * 100, kind]),
    silenced: (ms, by) => told.push(["silenced", Math.round(ms / 100) * 100, by]),
  };
  return { told, times: new TurnTimes(meter) };
}

describe("turn times", () => {
  it("spoken: everything counts from the last voiced frame", () => {
    const { told, times } = follow();
    times.heard(7, Date.now() - 400);
    times.arrived(7);
    times.arrived(7);
    times.ended({ ...played, origin: 7, firstAudio: 200 });
    expect(told).toEqual([
      ["final", 400, "spoken"],
      ["arrived", 400, "spoken"],
      ["sounded", 600, "spoken"],
    ]);
  });

  it("typed: everything counts from the text", () => {
    const { told, times } = follow();
    times.typed(3);
    times.arrived(3);
    times.ended({ ...played, origin: 3, firstAudio: 100 });
    expect(told).toEqual([
      ["arrived", 0, "typed"],
      ["sounded", 100, "typed"],
    ]);
  });

  it("nothing is told of announcements, of what made no sound, and of turns whose cause is forgotten", () => {
    const { told, times } = follow();
    times.arrived(undefined);
    times.ended({ ...played, reply: "r", firstAudio: 100 });
    times.heard(5, undefined);
    times.arrived(5);
    times.ended({ ...played, origin: 5, firstAudio: 100 });
    times.typed(9);
    times.ended({ ...played, origin: 9, complete: false, reason: "deadline" });
    times.ended({ ...played, origin: 9, firstAudio: 100 });
    expect(told).toEqual([]);
  });

  it("lateness: each frame counts in its class and all wider ones", () => {
    const counters = createCounters();
    for (const late of [0, 3, 999]) countLateness(counters, late);
    const classes = Object.fromEntries(counters.lateness.map((total, i) => [latenessMs[i] ?? "all", total]));
    expect(classes).toMatchObject({ 1: 1, 2: 1, 5: 2, 250: 2, all: 3 });
  });
});
