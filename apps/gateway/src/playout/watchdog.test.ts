import { describe, expect, it } from "vitest";
import { createStage, replyFrames } from "./test-stage.ts";

describe("watchdog", () => {
  it("deadline: a turn without a reply is fenced, apologized for and ended", () => {
    const stage = createStage({ apology: true });
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    stage.pass(20_000);
    expect(stage.audio()).toEqual(["sorry:0:0"]);
    expect(stage.states()).toEqual(["start", "stop"]);
    expect(stage.published).toContainEqual({ type: "fence", fence: origin });
    expect(stage.turns[0]).toMatchObject({ origin, complete: false, reason: "deadline" });
  });

  it("deadline: without a spoken apology the device is told by an alert", () => {
    const stage = createStage();
    stage.playout.transcript(stage.inbound(), "hello");
    stage.pass(20_000);
    expect(stage.wire.map((item) => ("text" in item ? item.text.type : "audio"))).toEqual([
      "stt",
      "tts",
      "alert",
      "tts",
    ]);
  });

  it("dry: a reply that stops growing is asked for once a second, then given up", () => {
    const stage = createStage({ apology: true });
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 5).slice(0, 3)) stage.playout.frame(frame);
    stage.pass(3900);
    const replay = { type: "resend", reply: "a", origin, after: { attempt: 1, sentence: 0, n: 2 } };
    expect(stage.published).toEqual([replay, replay, replay]);
    stage.pass(10_000);
    expect(stage.audio().at(-1)).toBe("sorry:0:0");
    expect(stage.states().at(-1)).toBe("stop");
    expect(stage.turns[0]).toMatchObject({ origin, complete: false, reason: "dry" });
  });

  it("dry: a process that stood still reads what came before it gives a reply up", () => {
    const stage = createStage({ apology: true });
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
