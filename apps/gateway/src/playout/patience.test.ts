import { describe, expect, it } from "vitest";
import { createStage, replyFrames } from "./test-stage.ts";

/** A stage with a typed text, and the origin of its turn. */
function ask() {
  const stage = createStage({ sounds: true });
  const origin = stage.inbound();
  stage.playout.typed(origin, "what time is it");
  const alerts = () => stage.wire.flatMap((item) => ("text" in item && item.text.type === "alert" ? [item] : []));
  return { stage, origin, alerts };
}

describe("patience", () => {
  it("no sign: the device is told after 400 ms, once, and the answer follows without a stop in between", () => {
    const { stage, origin, alerts } = ask();
    stage.pass(399);
    expect(stage.notices).toEqual([]);
    stage.pass(21);
    expect(stage.notices).toEqual(["wait"]);
    expect(alerts()).toMatchObject([{ at: 1400, text: { status: "Wait", message: "One moment, I am busy." } }]);
    expect(stage.audio()).toEqual(["wait:0:0"]);
    stage.pass(3000);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
    stage.pass(3000);
    expect(stage.audio()).toEqual(["wait:0:0", "a:0:1", "a:0:2"]);
    expect(stage.states()).toEqual(["start", "sentence_start", "stop"]);
    expect(stage.notices).toEqual(["wait"]);
    // The notice is no turn, and its sound is not the answer's first one.
    expect(stage.turns).toMatchObject([{ reply: "a", origin, complete: true, firstAudio: 3420 }]);
    expect(stage.memory.bytes).toBe(0);
  });

  it("a sign of life: nothing is said, until the work waits for its place", () => {
    const { stage, origin } = ask();
    stage.pass(300);
    stage.playout.working({ origin });
    stage.pass(2000);
    expect(stage.notices).toEqual([]);
    stage.playout.working({ origin }, true);
    stage.playout.working({ origin }, true);
    stage.pass(30);
    expect(stage.audio()).toEqual(["wait:0:0"]);
    expect(stage.notices).toEqual(["wait"]);
  });

  it("a wait that ends before the turn is 200 ms old: nothing is said, and if another program lets it wait then, at once", () => {
    const { stage, origin } = ask();
    stage.pass(100);
    stage.playout.working({ origin }, true);
    stage.pass(99);
    stage.playout.working({ origin });
    stage.pass(250);
    expect(stage.notices).toEqual([]);
    stage.playout.working({ origin }, true);
    expect(stage.notices).toEqual(["wait"]);
  });

  it("a wait that ends later: the device is told when the turn is 300 ms old", () => {
    const { stage, origin } = ask();
    stage.playout.working({ origin }, true);
    stage.pass(201);
    stage.playout.working({ origin });
    stage.pass(98);
    expect(stage.notices).toEqual([]);
    stage.pass(2);
    expect(stage.notices).toEqual(["wait"]);
  });

  it("a turn that waits from its beginning: the device is told when it is 300 ms old", () => {
    const { stage, origin, alerts } = ask();
    stage.playout.working({ origin }, true);
    stage.pass(299);
    expect(stage.notices).toEqual([]);
    stage.pass(21);
    expect(alerts()).toMatchObject([{ at: 1300, text: { status: "Wait" } }]);
  });

  it("the answer comes first: nothing is said, also if a sign tells of a wait", () => {
    const { stage, origin } = ask();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
    stage.playout.working({ origin }, true);
    stage.pass(1000);
    expect(stage.notices).toEqual([]);
  });

  it("the answer comes meanwhile: it follows right behind", () => {
    const { stage, origin } = ask();
    stage.playout.working({ origin }, true);
    stage.pass(300);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
    stage.pass(1000);
    expect(stage.audio()).toEqual(["wait:0:0", "a:0:1", "a:0:2"]);
    expect(stage.states()).toEqual(["start", "sentence_start", "stop"]);
    expect(stage.published).toEqual([{ type: "fence", fence: origin }]);
  });

  it("while the user speaks nothing is said, and then it is", () => {
    const { stage } = ask();
    stage.userSpeaking(true);
    stage.pass(1000);
    expect(stage.notices).toEqual([]);
    stage.playout.userCeased(stage.seq(), stage.seq());
    stage.pass(500);
    expect(stage.notices).toEqual(["wait"]);
  });

  it("a button released without words, or a wait for a recognizer: no sound, and the screen tells of the wait", () => {
    const stage = createStage({ sounds: true });
    const stop = stage.inbound();
    stage.playout.stopped(stop);
    stage.pass(2000);
    expect(stage.notices).toEqual([]);
    stage.playout.working({ origin: stop }, true);
    stage.pass(1000);
    expect([stage.notices, stage.audio()]).toEqual([["wait"], []]);
    // The transcript is that of the same turn.
    stage.playout.transcript(stop, "hello");
    stage.pass(1000);
    expect(stage.notices).toEqual(["wait"]);
  });

  it("a fenced turn: nothing is said", () => {
    const { stage, origin } = ask();
    stage.playout.abort(stage.inbound());
    stage.playout.working({ origin }, true);
    stage.playout.shed(origin);
    stage.pass(2000);
    expect([stage.notices, stage.audio()]).toEqual([[], []]);
  });

  it("words during the notice: it ends, and the turn that waits goes on", () => {
    const stage = createStage({ sounds: true });
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    stage.playout.working({ origin }, true);
    stage.pass(300);
    stage.userSpeaking(true);
    stage.playout.bargeIn(stage.inbound());
    expect(stage.playout.fence).toBe(0);
    stage.playout.userCeased(stage.seq(), origin);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 1)) stage.playout.frame(frame);
    stage.pass(1000);
    expect(stage.audio()).toContain("a:0:1");
  });

  it("shed: the device is told, the turn ends, and the device stops speaking", () => {
    const { stage, origin, alerts } = ask();
    stage.pass(100);
    stage.playout.shed(origin);
    stage.pass(1000);
    expect(alerts()).toMatchObject([{ at: 1100, text: { status: "Sorry" } }]);
    expect(stage.audio()).toEqual(["busy:0:0"]);
    expect(stage.states()).toEqual(["start", "stop"]);
    expect(stage.turns).toMatchObject([{ origin, complete: false, reason: "shed" }]);
    expect(stage.published).toEqual([{ type: "fence", fence: origin }]);
    expect(stage.notices).toEqual(["busy"]);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 1)) stage.playout.frame(frame);
    expect(stage.drops()).toEqual(["fenced", "fenced"]);
  });

  it("shed in a language without sound: it is shown in that language", () => {
    const stage = createStage({ language: "zh-CN" });
    const origin = stage.inbound();
    stage.playout.typed(origin, "几点了");
    stage.playout.shed(origin);
    expect(stage.wire.slice(-2)).toMatchObject([
      { text: { message: "抱歉，我现在太忙，请稍后再试。" } },
      { text: { state: "stop" } },
    ]);
  });

  it("an answer that sounds is not shed", () => {
    const { stage, origin } = ask();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
    stage.playout.shed(origin);
    stage.pass(1000);
    expect(stage.turns).toMatchObject([{ reply: "a", complete: true }]);
  });

  it("a process that stood still reads what came before it says that no program works", () => {
    const { stage, origin } = ask();
    stage.stall(900);
    expect(stage.notices).toEqual([]);
    stage.playout.working({ origin });
    stage.pass(1000);
    expect(stage.notices).toEqual([]);
  });

  it("a process that stood still reads that a wait has ended", () => {
    const { stage, origin } = ask();
    stage.playout.working({ origin }, true);
    stage.stall(900);
    expect(stage.notices).toEqual([]);
    stage.playout.working({ origin });
    stage.pass(1000);
    expect(stage.notices).toEqual([]);
  });
});
