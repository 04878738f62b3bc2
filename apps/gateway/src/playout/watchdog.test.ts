import { describe, expect, it } from "vitest";
import { createStage, replyFrames } from "./test-stage.ts";

describe("watchdog", () => {
  it("deadline: a turn without a reply is fenced, apologized for and ended", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    stage.pass(20_000);
    expect(stage.audio()).toEqual(["wait:0:0", "apology:0:0"]);
    expect(stage.states()).toEqual(["start", "stop"]);
    expect(stage.published).toContainEqual({ type: "fence", fence: origin });
    expect(stage.turns[0]).toMatchObject({ origin, complete: false, reason: "deadline" });
  });

  it("deadline: without a spoken apology the device is told by an alert", () => {
    const stage = createStage();
    stage.playout.transcript(stage.inbound(), "hello");
    stage.pass(20_000);
    const texts = stage.wire.map((item) => ("text" in item ? item.text : item));
    expect(texts).toMatchObject([
      { type: "stt" },
      { type: "tts" },
      { type: "alert", status: "Wait" },
      { type: "alert", status: "Sorry" },
      { type: "tts" },
    ]);
  });

  it("dry: a reply that stops growing is asked for once a second, then given up", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 5).slice(0, 3)) stage.playout.frame(frame);
    stage.pass(3900);
    const replay = { type: "resend", reply: "a", origin, after: { attempt: 1, sentence: 0, n: 2 } };
    expect(stage.published).toEqual([replay, replay, replay]);
    stage.pass(10_000);
    expect(stage.audio().at(-1)).toBe("apology:0:0");
    expect(stage.states().at(-1)).toBe("stop");
    expect(stage.turns[0]).toMatchObject({ origin, complete: false, reason: "dry" });
  });

  it("signs of life: a turn that somebody works on waits for its reply until the signs cease", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    for (let second = 0; second < 60; second += 1) {
      stage.playout.working({ origin });
      stage.pass(1000);
    }
    expect(stage.states()).toEqual(["start"]);
    stage.pass(15_000);
    expect(stage.turns[0]).toMatchObject({ origin, reason: "deadline" });
  });

  it("signs of life: a reply that somebody works on is asked for every 5 s, until the signs cease", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 4);
    for (const frame of frames.slice(0, 3)) stage.playout.frame(frame);
    for (let second = 0; second < 60; second += 1) {
      stage.playout.working(second % 2 === 0 ? { origin } : { reply: "a" });
      stage.pass(1000);
    }
    expect(stage.published.filter(({ type }) => type === "resend").length).toBeLessThan(14);
    stage.playout.frame(frames[3]!);
    expect(stage.audio()).toEqual(["a:0:1", "a:0:2", "a:0:3"]);
    stage.pass(6000);
    expect(stage.turns[0]).toMatchObject({ origin, reason: "dry" });
  });

  it("signs of life: when they cease, the frames that are missing are asked for within 2 s", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 4).slice(0, 3)) stage.playout.frame(frame);
    for (let second = 0; second < 5; second += 1) {
      stage.playout.working({ origin });
      stage.pass(1000);
    }
    const asked = () => stage.published.filter(({ type }) => type === "resend").length;
    const before = asked();
    stage.pass(2000);
    expect(asked()).toBeGreaterThan(before);
  });

  it("signs of life: work on an earlier turn, on another reply or on the future keeps nothing alive", () => {
    const stage = createStage({ sounds: true });
    const earlier = stage.inbound();
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    for (let second = 0; second < 16; second += 1) {
      for (const work of [{ origin: earlier }, { reply: "b" }, { origin: 1000 }]) stage.playout.working(work);
      stage.pass(1000);
    }
    expect(stage.turns[0]).toMatchObject({ origin, reason: "deadline" });
    expect(new Set(stage.drops())).toEqual(new Set(["future-origin"]));
  });

  it("signs of life: a reply that waited for its place has not grown dry", () => {
    const stage = createStage({ sounds: true });
    const [first, second] = [stage.inbound(), stage.inbound()];
    for (const frame of replyFrames({ reply: "a", origin: first }, 1, 200)) stage.playout.frame(frame);
    const frames = replyFrames({ reply: "b", origin: second }, 1, 3);
    stage.playout.frame(frames[0]!);
    for (let ms = 0; ms < 20_000; ms += 1000) {
      stage.playout.working({ origin: second });
      stage.pass(1000);
    }
    for (const frame of frames.slice(1)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.turns).toMatchObject([
      { origin: first, complete: true },
      { origin: second, complete: true },
    ]);
  });

  it("deadline: a process that stood still reads what came before it gives a turn up", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    stage.stall(30_000);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.turns).toMatchObject([{ origin, complete: true }]);
  });

  it("dry: a process that stood still reads what came before it gives a reply up", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 5);
    for (const frame of frames.slice(0, 3)) stage.playout.frame(frame);
    stage.pass(2000);
    stage.stall(8000);
    for (const frame of frames.slice(3)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.audio()).toEqual([1, 2, 3, 4, 5].map((n) => `a:0:${n}`));
    expect(stage.turns).toMatchObject([{ origin, complete: true }]);
  });

  it("lost frame: those after it are asked for again, and nothing is said twice or left out", () => {
    const stage = createStage();
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 8);
    for (const frame of frames.filter(({ n }) => n !== 3)) stage.playout.frame(frame);
    expect(stage.published).toEqual([{ type: "resend", reply: "a", origin, after: { attempt: 1, sentence: 0, n: 2 } }]);
    for (const frame of frames.slice(3)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.audio()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `a:0:${n}`));
  });

  it("handover: a sentence without sound so far is spoken by the other attempt", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 2, 3).slice(0, 5)) stage.playout.frame(frame);
    for (const frame of replyFrames({ reply: "a", origin, attempt: 2 }, 2, 3)) stage.playout.frame(frame);
    stage.pass(5000);
    expect(stage.audio()).toEqual([0, 1].flatMap((sentence) => [1, 2, 3].map((n) => `a:${sentence}:${n}`)));
    expect(stage.turns).toMatchObject([{ complete: true }]);
  });

  it("handover: another attempt goes on with the next sentence, or with the next frame where the engine repeats itself", () => {
    for (const repeatable of [false, true]) {
      const stage = createStage();
      const origin = stage.inbound();
      for (const frame of replyFrames({ reply: "a", origin, repeatable }, 2, 4).slice(0, 3)) stage.playout.frame(frame);
      for (const frame of replyFrames({ reply: "a", origin, repeatable, attempt: 2 }, 2, 4)) stage.playout.frame(frame);
      stage.pass(5000);
      const first = repeatable ? [1, 2, 3, 4] : [1, 2];
      expect(stage.audio()).toEqual([...first.map((n) => `a:0:${n}`), ...[1, 2, 3, 4].map((n) => `a:1:${n}`)]);
      expect(stage.turns).toMatchObject([{ complete: true }]);
    }
  });
});
