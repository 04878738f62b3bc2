import { describe, expect, it } from "vitest";
import { fixedLimits } from "../limits.ts";
import type { ReplyFrame } from "./buffer.ts";
import { stopMarginMs } from "./pacer.ts";
import { createStage, replyFrames } from "./test-stage.ts";

describe("playout", () => {
  it("turn: stt, tts/start, subtitle, paced audio, tts/stop when the sound was played", () => {
    const stage = createStage();
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    stage.pass(10);
    for (const frame of replyFrames({ reply: "a", origin }, 2, 5)) stage.playout.frame(frame);
    stage.pass(5000);
    expect(stage.states()).toEqual(["start", "sentence_start", "sentence_start", "stop"]);
    const audio = stage.wire.filter((item) => "audio" in item);
    expect(audio).toHaveLength(10);
    const first = audio[0]?.at ?? 0;
    expect(first - 1000).toBe(20);
    // Two frames ahead: three leave at once, then one each 60 ms.
    expect(audio.map(({ at }) => at - first)).toEqual([0, 0, 0, 60, 120, 180, 240, 300, 360, 420]);
    expect((stage.wire.at(-1)?.at ?? 0) - first).toBe(10 * 60 + stopMarginMs);
    expect(stage.playout.fence).toBe(origin);
    expect(stage.turns).toMatchObject([{ origin, complete: true, played: [1, 5], firstAudio: 20 }]);
  });

  it.each([
    { gap: 0, arrives: 0, leaves: 0 },
    { gap: 20, arrives: 50, leaves: 50 },
    { gap: 100, arrives: 50, leaves: 100 },
  ])("start gap of $gap ms: sound that arrives after $arrives ms leaves after $leaves", ({ gap, arrives, leaves }) => {
    const stage = createStage({ startGapMs: gap });
    const origin = stage.inbound();
    stage.playout.typed(origin, "hello");
    stage.pass(arrives);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 5)) stage.playout.frame(frame);
    stage.pass(1000);
    expect(stage.wire.find((item) => "audio" in item)?.at).toBe(1000 + leaves);
  });

  it.each(["nothing-to-say", "failed"] as const)(
    "a reply that ends as %s: it is complete, for that reason",
    (outcome) => {
      const stage = createStage();
      const origin = stage.inbound();
      stage.playout.typed(origin, "hello");
      const name = { v: 1 as const, reply: "a", origin, attempt: 1, sentence: 0 };
      stage.playout.frame({ ...name, n: 0, kind: "text", body: { type: "llm", emotion: "happy" } });
      stage.playout.frame({ ...name, n: 1, kind: "control", body: { type: "end" }, end: "reply", outcome });
      expect(stage.states()).toEqual(["start", "stop"]);
      expect(stage.turns).toMatchObject([{ origin, complete: true, reason: outcome, played: [0, 1] }]);
    },
  );

  it("underrun: the clock starts anew and nothing is sent in a burst", () => {
    const stage = createStage();
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 9);
    for (const frame of frames.slice(0, 4)) stage.playout.frame(frame);
    stage.pass(900);
    for (const frame of frames.slice(4)) stage.playout.frame(frame);
    stage.pass(3000);
    const later = stage.wire.filter((item) => "audio" in item).slice(3);
    expect(later.map(({ at }) => at - (later[0]?.at ?? 0))).toEqual([0, 0, 0, 60, 120, 180]);
    expect(stage.turns).toMatchObject([{ complete: true, late: 1 }]);
  });

  it.each(["thought", "before its first sound", "in mid-sentence"] as const)(
    "abort: while the answer is %s it ends with tts/stop and not one frame after",
    (when) => {
      const stage = createStage();
      const origin = stage.inbound();
      stage.playout.transcript(origin, "hello");
      const frames = replyFrames({ reply: "a", origin }, 2, 20);
      if (when !== "thought") for (const frame of frames.slice(0, 20)) stage.playout.frame(frame);
      if (when === "in mid-sentence") stage.pass(500);
      stage.playout.abort(stage.inbound());
      const after = stage.wire.length;
      for (const frame of frames.slice(when === "thought" ? 0 : 20)) stage.playout.frame(frame);
      stage.pass(20_000);
      expect(stage.wire[after - 1]).toMatchObject({ text: { type: "tts", state: "stop" } });
      expect(stage.wire).toHaveLength(after);
    },
  );

  it("abort: the report names the last sentence that was heard, not one whose subtitle alone was sent", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 3, 5)) stage.playout.frame(frame);
    stage.pass(145);
    stage.playout.abort(stage.inbound());
    expect(stage.turns).toMatchObject([{ complete: false, reason: "fenced", played: [1, 0], sentence: 0 }]);
    const silent = stage.inbound();
    stage.playout.transcript(silent, "hello");
    stage.playout.abort(stage.inbound());
    expect(stage.turns[1]).not.toHaveProperty("sentence");
  });

  it("abort: is answered even when nothing sounds", () => {
    const stage = createStage();
    stage.playout.abort(stage.inbound());
    expect(stage.states()).toEqual(["stop"]);
  });

  it("typed text: cuts the reply that plays, and not its own", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 30)) stage.playout.frame(frame);
    stage.pass(300);
    const typed = stage.inbound();
    stage.playout.typed(typed, "stop that");
    for (const frame of replyFrames({ reply: "b", origin: typed }, 1, 2)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.states()).toEqual(["start", "sentence_start", "stop", "start", "sentence_start", "stop"]);
    expect(stage.audio().filter((name) => name.startsWith("b"))).toEqual(["b:0:1", "b:0:2"]);
  });

  it("announcement: waits for the reply and for the user, at most 30 s", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 10)) stage.playout.frame(frame);
    for (const frame of replyFrames({ reply: "news" }, 1, 2)) stage.playout.frame(frame);
    stage.userSpeaking(true);
    stage.pass(fixedLimits.announcementWaitMs - 2000);
    expect(stage.audio().filter((name) => name.startsWith("news"))).toEqual([]);
    stage.pass(4000);
    expect(stage.audio().slice(-2)).toEqual(["news:0:1", "news:0:2"]);
  });

  it("announcement: the device is told to speak once it takes in sound", () => {
    let takesSound = false;
    const stage = createStage({ writable: () => takesSound });
    for (const frame of replyFrames({ reply: "news" }, 1, 2)) stage.playout.frame(frame);
    stage.pass(2000);
    expect(stage.states()).toEqual([]);
    takesSound = true;
    stage.pass(1000);
    expect(stage.states()).toEqual(["start", "sentence_start", "stop"]);
    expect(stage.audio()).toEqual(["news:0:1", "news:0:2"]);
  });

  it("announcement: an abort kills it for good, a barge-in leaves one that waits alone", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 30)) stage.playout.frame(frame);
    const [first, ...rest] = replyFrames({ reply: "news" }, 1, 3);
    stage.playout.frame(first as ReplyFrame);
    stage.playout.bargeIn(stage.inbound());
    for (const frame of rest) stage.playout.frame(frame);
    stage.pass(2000);
    expect(stage.audio().filter((name) => name.startsWith("news"))).toHaveLength(3);
    stage.playout.frame({ ...(first as ReplyFrame), reply: "other" });
    stage.playout.abort(stage.inbound());
    for (const frame of rest) stage.playout.frame({ ...frame, reply: "other" });
    stage.pass(2000);
    expect(stage.audio()).not.toContain("news:0:1".replace("news", "other"));
    expect(stage.states().at(-1)).toBe("stop");
  });

  it("order: replies that wait sound in the order of their causes, and one older than what has started is dead", () => {
    for (const [earlier, later] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const stage = createStage();
      const origins = [stage.inbound(), stage.inbound(), stage.inbound(), stage.inbound()] as const;
      const reply = (index: 0 | 1 | 2 | 3) => replyFrames({ reply: `r${index}`, origin: origins[index] }, 1, 2);
      for (const frame of [...reply(1), ...reply(earlier), ...reply(later), ...reply(0)]) stage.playout.frame(frame);
      stage.pass(5000);
      expect(stage.audio()).toEqual(["r1:0:1", "r1:0:2", "r2:0:1", "r2:0:2", "r3:0:1", "r3:0:2"]);
      expect(stage.drops()).toEqual(["superseded", "superseded", "superseded"]);
    }
  });

  it("future: an origin or fence above the session's own seq is refused", () => {
    const stage = createStage();
    stage.playout.transcript(5, "hello");
    stage.playout.bargeIn(5);
    for (const frame of replyFrames({ reply: "a", origin: 9 }, 1, 1)) stage.playout.frame(frame);
    expect(stage.wire).toEqual([]);
    expect(stage.drops()).toEqual(["future-origin", "future-origin", "future-origin", "future-origin"]);
  });
});
