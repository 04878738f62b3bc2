import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heartbeat } from "./heartbeat.ts";
import { lifeEvents, lifeStates, nextState, transitions, type LifeState } from "./state.ts";

const times = { helloMs: 10_000, pingMs: 30_000, suspectMs: 60_000, idleTimeoutMs: 90_000 };

/** Runs a heartbeat in virtual time, as a session does. */
function createStage() {
  let now = 0;
  const log: string[] = [];
  const beat = new Heartbeat(times, now);
  let checkAt = beat.nextCheck(now);
  const tell = (state: LifeState | undefined) => state && log.push(`${state} ${now / 1000}`);
  const check = () => {
    for (const due of beat.check(now)) {
      if (due.do === "ping") log.push(`ping ${now / 1000}`);
      else if (due.do === "tell") tell(due.state);
      else {
        log.push(`${due.reason} ${now / 1000}`);
        tell(beat.happen("close"));
      }
    }
    checkAt = beat.nextCheck(now);
  };
  return {
    beat,
    log,
    now: () => now,
    welcome() {
      tell(beat.happen("welcomed"));
      check();
    },
    come(what: "frame" | "pong" | "sign") {
      tell(beat[what](now));
    },
    pass(ms: number) {
      const until = now + ms;
      for (;;) {
        if (checkAt === undefined || checkAt > until) break;
        now = Math.max(now, checkAt);
        check();
      }
      now = until;
    },
  };
}

describe("life", () => {
  it("table: every path ends in closed, and that is final", () => {
    const reach = (from: LifeState, seen = new Set<LifeState>()): Set<LifeState> => {
      if (seen.has(from)) return seen;
      seen.add(from);
      for (const to of Object.values(transitions[from])) reach(to, seen);
      return seen;
    };
    expect([...reach("authenticating")].toSorted()).toEqual([...lifeStates].toSorted());
    for (const state of lifeStates) expect(reach(state).has("closed")).toBe(true);
    for (const event of lifeEvents) expect(nextState("closed", event)).toBe("closed");
  });

  it("no hello: the connection is closed after its time", () => {
    const stage = createStage();
    stage.pass(20_000);
    expect(stage.log).toEqual(["hello_timeout 10", "disconnecting 10"]);
  });

  it("silence: idle and pinged after 30 s, suspicious and pinged once more after 60 s, dead after 90 s", () => {
    const stage = createStage();
    stage.welcome();
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
    stage.welcome();
    for (let n = 1; n <= 20; n += 1) {
      stage.pass(30_000 * n + 80 - stage.now());
      stage.come("pong");
    }
    expect(stage.beat.state).toBe("idle");
    expect(stage.beat.rtt).toBeCloseTo(80, 0);
    stage.pass(70_000);
    expect(stage.beat.state).toBe("suspicious");
    stage.come("pong");
    expect(stage.beat.state).toBe("idle");
    stage.come("frame");
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
      model.dead ||= model.now - model.byteAt >= times.idleTimeoutMs;
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
      stage.come(this.what);
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
          real.welcome();
          return { model: { now: 0, byteAt: 0, frameAt: 0, dead: false }, real };
        }, list);
      }),
      { numRuns: 500 },
    );
  });
});
