import { describe, expect, it } from "vitest";
import { createStage, replyFrames } from "./test-stage.ts";

/** A stage whose device takes in no sound yet. An answer waits for it. */
function wait() {
  let takesSound = false;
  const stage = createStage({ sounds: true, deadlineMs: 3000, writable: () => takesSound });
  const origin = stage.inbound();
  stage.playout.typed(origin, "what time is it");
  stage.pass(100);
  for (const frame of replyFrames({ reply: "a", origin }, 1, 2)) stage.playout.frame(frame);
  const takeSound = () => {
    takesSound = true;
    stage.pass(4000);
  };
  return { stage, origin, takeSound };
}

describe("an answer that waits for the device", () => {
  it("is no turn without an answer: no notice and no apology is said, and it plays alone", () => {
    const { stage, origin, takeSound } = wait();
    stage.playout.working({ origin }, true);
    stage.pass(10_000);
    expect(stage.notices).toEqual([]);
    takeSound();
    expect(stage.audio()).toEqual(["a:0:1", "a:0:2"]);
    expect(stage.turns).toMatchObject([{ origin, complete: true }]);
  });

  it("ends when the user types, and the next answer plays alone", () => {
    const { stage, origin, takeSound } = wait();
    const typed = stage.inbound();
    stage.playout.typed(typed, "never mind");
    expect(stage.published).toContainEqual({ type: "fence", fence: origin });
    expect(stage.turns).toMatchObject([{ origin, reason: "fenced" }]);
    for (const frame of replyFrames({ reply: "b", origin: typed }, 1, 2)) stage.playout.frame(frame);
    takeSound();
    expect(stage.audio()).toEqual(["b:0:1", "b:0:2"]);
  });

  it("ends when the user speaks words", () => {
    const { stage, origin, takeSound } = wait();
    stage.userSpeaking(true);
    stage.playout.bargeIn(stage.inbound());
    expect(stage.turns).toMatchObject([{ origin, reason: "fenced" }]);
    takeSound();
    expect(stage.audio()).toEqual([]);
  });

  it("is reported once when it is shed, or when the user wants silence", () => {
    const shed = wait();
    shed.stage.playout.shed(shed.origin);
    shed.takeSound();
    expect(shed.stage.turns).toMatchObject([{ origin: shed.origin, reason: "shed" }]);
    expect(shed.stage.audio()).toEqual(["busy:0:0"]);
    const aborted = wait();
    aborted.stage.playout.abort(aborted.stage.inbound());
    expect(aborted.stage.turns).toMatchObject([{ origin: aborted.origin, reason: "fenced" }]);
  });
});
