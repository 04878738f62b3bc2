import { expect, it } from "vitest";
import type { Sample } from "../soak/sample.ts";
import { judge, type Course, type Figures, type Phase } from "./judge.ts";

const spread = (p50: number, p99: number) => ({ count: 100, p50, p99 });
const figures = (given: Partial<Figures> = {}): Figures => ({
  pings: spread(1, 10),
  sounds: spread(100, 300),
  gaps: spread(60, 70),
  lag: 5,
  problems: [],
  ...given,
});
const phase = (given: Partial<Figures> = {}, peakRss = 100, problems: readonly string[] = []): Phase => ({
  figures: figures(given),
  stretch: {
    vitals: [{ program: "gateway", pid: 1, rss: 100, peakRss, handles: 30, peakHandles: 30, cpu: 0.1 }],
    buffered: 0,
    problems,
  },
});
const sample = (held: number, handles = 30, connections = 8): Sample => ({
  at: 0,
  processes: new Map([["gateway", { pid: 1, rss: 100, held, timers: 5, handles }]]),
  connections,
  buffered: 0,
  waiting: 0,
  wakeups: 0,
  subscriptions: 50,
  consumers: {},
  stored: 0,
  keys: { presence: 9 },
});
const course = (given: Partial<Course> = {}): Course => ({
  before: phase(),
  during: phase(),
  after: phase(),
  heldBefore: sample(20),
  heldAfter: sample(21),
  ...given,
});

it("verdict: an attack that no one notices is fine", () => {
  expect(judge(course())).toEqual([]);
});

it("verdict: bystanders that wait longer are named, during and after the attack", () => {
  const slow = phase({ pings: spread(1, 900), sounds: spread(600, 700) });
  expect(judge(course({ during: slow }))).toEqual([
    "during: pings p99 10 → 900 ms (bound 160)",
    "during: sounds p50 100 → 600 ms (bound 250)",
  ]);
  expect(judge(course({ after: slow }))[0]).toMatch(/^after: pings/);
  expect(judge(course({ during: phase({ problems: ["its session closed"] }) }))).toEqual([
    "during: its session closed",
  ]);
});

it("verdict: a lag of the whole machine is no one's fault", () => {
  expect(judge(course({ during: phase({ pings: spread(1, 900), lag: 500 }) }))).toEqual([]);
});

it("verdict: bystanders without an answer are no bystanders that are served", () => {
  expect(judge(course({ during: phase({ sounds: { count: 0, p50: NaN, p99: NaN } }) }))).toEqual([
    "during: the bystanders had no sounds",
  ]);
});

it("verdict: an error that the attack is meant to cause does not count, any other does", () => {
  const during = phase({}, 100, ["gateway logged: session failed", "asr logged: store failed"]);
  expect(judge(course({ during }), { expected: /session failed/ })).toEqual(["asr logged: store failed"]);
});

it("verdict: in an outage only the time after it counts", () => {
  const during = phase({ pings: spread(900, 900) }, 100, ["asr logged: store failed"]);
  expect(judge(course({ during }), { isOutage: true })).toEqual([]);
  expect(judge(course({ during })).length).toBe(3);
});

it("verdict: memory, descriptors and connections that remain are named", () => {
  expect(judge(course({ during: phase({}, 300), heldAfter: sample(40, 80, 10) }))).toEqual([
    "during: gateway grew from 100 to 300 MB",
    "gateway: 50 more file handles than before",
    "gateway: 2 connections remain",
    "after: gateway holds 40.0 MB, before 20.0 MB",
  ]);
});
