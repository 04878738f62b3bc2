import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock, Ticker } from "../playout/clock.ts";
import { Heartbeat } from "./heartbeat.ts";
import { lifeEvents, lifeStates, nextState, transitions, type LifeState } from "./state.ts";

const times = { helloMs: 10_000, pingMs: 30_000, suspectMs: 60_000, zombieMs: 90_000 };

/** A heartbeat in virtual time. */
function createStage() {
  let now = 0;
  let queue: { readonly at: number; readonly ticker: Ticker }[] = [];
  const log: string[] = [];
  const clock: Clock = { now: () => now, wake: (ticker, at) => queue.push({ ticker, at }), close: () => undefined };
  const beat: Heartbeat = new Heartbeat(clock, times, {
    ping: () => log.push(`ping ${now / 1000}`),
    close(name) {
      log.push(`${name} ${now / 1000}`);
      beat.happen("close");
    },
    changed: (state) => log.push(`${state} ${now / 1000}`),
  });
  return {
    beat,
    log,
    now: () => now,
    pass(ms: number) {
      const until = now + ms;
      for (;;) {
        const next = queue.reduce((least, entry) => Math.min(least, entry.at), Infinity);
        if (next > until) break;
        now = Math.max(now, next);
        const due = queue.filter(({ at }) => at <= now);
        queue = queue.filter(({ at }) => at > now);
        for (const { ticker } of due) ticker.tick(now);
      }
      now = until;
    },
  };
}

describe("life", () => {
  it("table: every path ends in closed or rejected, and those are final", () => {
    const reach = (from: LifeState, seen = new Set<LifeState>()): Set<LifeState> => {
      if (seen.has(from)) return seen;
      seen.add(from);
      for (const to of Object.values(transitions[from])) reach(to, seen);
      return seen;
    };
    expect([...reach("connecting")].toSorted()).toEqual([...lifeStates].toSorted());
    for (const state of lifeStates) expect(reach(state).has("closed") || reach(state).has("rejected")).toBe(true);
    for (const event of lifeEvents) {
      expect(nextState("closed", event)).toBe("closed");
      expect(nextState("rejected", event)).toBe("rejected");
    }
  });

  it("no hello: the connection is closed after its time", () => {
    const stage = createStage();
    stage.pass(20_000);
    expect(stage.log).toEqual(["hello_timeout 10", "disconnecting 10"]);
  });

  it("silence: idle and pinged after 30 s, suspicious and pinged once more after 60 s, dead after 90 s", () => {
    const stage = createStage();
    stage.beat.happen("welcomed");
    stage.pass(200_000);
    expect(stage.log).toEqual([
      "active 0",
      "ping 30",
      "idle 30",
      "suspicious 60",
      "ping 60",
      "heartbeat_timeout 90",
      "disconnecting 90",
    ]);
  });

  it("pong: keeps an idle device, brings a suspicious one back, and tells the round trip", () => {
    const stage = createStage();
    stage.beat.happen("welcomed");
    for (let n = 1; n <= 20; n += 1) {
      stage.pass(30_000 * n + 80 - stage.now());
      stage.beat.pong();
    }
    expect(stage.beat.state).toBe("idle");
    expect(stage.beat.rtt).toBeCloseTo(80, 0);
    stage.pass(70_000);
    expect(stage.beat.state).toBe("suspicious");
    stage.beat.pong();
    expect(stage.beat.state).toBe("idle");
    stage.beat.frame();
    expect(stage.beat.state).toBe("active");
  });

  // The reference: three time stamps and nothing else.
  interface Model {
    now: number;
    byteAt: number;
    frameAt: number;
    dead: boolean;
  }
  type Stage = ReturnType<typeof createStage>;
  const expectLike = (model: Model, stage: Stage) => {
    const silent = model.now - model.byteAt;
    const quiet = model.now - model.frameAt;
    const expected = model.dead
      ? "disconnecting"
      : silent >= times.suspectMs
        ? "suspicious"
        : quiet >= times.pingMs
          ? "idle"
          : "active";
    expect(stage.beat.state).toBe(expected);
  };
  class Pass implements fc.Command<Model, Stage> {
    readonly ms: number;
    constructor(ms: number) {
      this.ms = ms;
    }
    check = () => true;
    run(model: Model, stage: Stage) {
      model.now += this.ms;
      model.dead ||= model.now - model.byteAt >= times.zombieMs;
      stage.pass(this.ms);
      expectLike(model, stage);
    }
    toString = () => `pass ${this.ms}`;
  }
  class Come implements fc.Command<Model, Stage> {
    readonly what: "frame" | "pong" | "sign";
    constructor(what: "frame" | "pong" | "sign") {
      this.what = what;
    }
    check = () => true;
    run(model: Model, stage: Stage) {
      if (!model.dead) {
        model.byteAt = model.now;
        if (this.what === "frame") model.frameAt = model.now;
      }
      stage.beat[this.what]();
      expectLike(model, stage);
    }
    toString = () => this.what;
  }

  it("any order of traffic and silence: the state is what the time stamps say", () => {
    const commands = fc.commands(
      [
        fc.integer({ min: 1, max: 50_000 }).map((ms) => new Pass(ms)),
        fc.constantFrom("frame" as const, "pong" as const, "sign" as const).map((what) => new Come(what)),
      ],
      { size: "medium" },
    );
    fc.assert(
      fc.property(commands, (list) => {
        fc.modelRun(() => {
          const real = createStage();
          real.beat.happen("welcomed");
          return { model: { now: 0, byteAt: 0, frameAt: 0, dead: false }, real };
        }, list);
      }),
      { numRuns: 500 },
    );
  });
});
