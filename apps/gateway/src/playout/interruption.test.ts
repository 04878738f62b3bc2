import { describe, expect, it } from "vitest";
import { createStage, pauseMs, replyFrames } from "./test-stage.ts";

/** A stage on which a reply of 6 s has been playing for `ms`. */
function play(ms: number) {
  const stage = createStage();
  const origin = stage.inbound();
  for (const frame of replyFrames({ reply: "a", origin }, 1, 100)) stage.playout.frame(frame);
  stage.pass(ms);
  const sentAt = () => stage.wire.flatMap((item) => ("audio" in item ? [item.at] : []));
  return { ...stage, origin, sentAt };
}

describe("speech while a reply plays", () => {
  it("no words: play-out pauses at the onset and goes on where it was, without a burst", () => {
    const { userSpeaking, pass, sentAt, audio, now, turns } = play(2000);
    userSpeaking(true);
    const sent = sentAt().length;
    pass(1200);
    expect(sentAt()).toHaveLength(sent);
    const resumedAt = now();
    userSpeaking(false);
    pass(200);
    expect(sentAt().slice(sent)).toEqual([0, 0, 0, 60, 120, 180].map((ms) => resumedAt + ms));
    pass(10_000);
    expect(new Set(audio()).size).toBe(100);
    expect(audio()).toHaveLength(100);
    expect(turns).toMatchObject([{ complete: true, late: 0 }]);
  });

  it("words: the reply is cut, and not one frame is sent after the onset", () => {
    const { playout, userSpeaking, pass, inbound, sentAt, states, turns } = play(2000);
    const seq = inbound();
    userSpeaking(true);
    const sent = sentAt().length;
    pass(1500);
    playout.bargeIn(seq);
    userSpeaking(false);
    pass(10_000);
    expect(sentAt()).toHaveLength(sent);
    expect(states().at(-1)).toBe("stop");
    expect(turns).toMatchObject([{ complete: false, reason: "fenced" }]);
  });

  it("no sign of its end: play-out goes on by itself after the longest pause", () => {
    const { userSpeaking, pass, audio, turns } = play(2000);
    userSpeaking(true);
    const sent = audio().length;
    pass(pauseMs - 10);
    expect(audio()).toHaveLength(sent);
    pass(20_000);
    expect(audio()).toHaveLength(100);
    expect(turns).toMatchObject([{ complete: true, late: 0 }]);
  });

  it("an abort in the pause: silences at once", () => {
    const { playout, userSpeaking, pass, inbound, wire, audio } = play(2000);
    userSpeaking(true);
    playout.abort(inbound());
    expect(wire.at(-1)).toMatchObject({ text: { type: "tts", state: "stop" } });
    const sent = audio().length;
    userSpeaking(false);
    pass(20_000);
    expect(audio()).toHaveLength(sent);
  });

  it("right after the device began to sound: does not pause it, because that is its own sound", () => {
    const { userSpeaking, pass, audio } = play(600);
    userSpeaking(true);
    const sent = audio().length;
    pass(600);
    expect(audio().length).toBeGreaterThan(sent + 5);
  });

  it("a second noise in the same reply: does not pause it again, but words cut it", () => {
    const { playout, userSpeaking, pass, inbound, audio, turns } = play(2000);
    userSpeaking(true);
    userSpeaking(false);
    pass(1500);
    userSpeaking(true);
    const sent = audio().length;
    pass(600);
    expect(audio().length).toBeGreaterThan(sent + 5);
    playout.bargeIn(inbound());
    expect(turns).toMatchObject([{ reason: "fenced" }]);
  });

  it("that began before the reply did: words leave it alone", () => {
    const stage = createStage();
    const origin = stage.inbound();
    stage.playout.transcript(origin, "hello");
    const seq = stage.inbound();
    stage.userSpeaking(true);
    for (const frame of replyFrames({ reply: "a", origin }, 1, 10)) stage.playout.frame(frame);
    stage.pass(400);
    stage.playout.bargeIn(seq);
    stage.userSpeaking(false);
    stage.pass(5000);
    expect(stage.audio()).toHaveLength(10);
  });

  it("that ends after the user began anew: does not end the pause", () => {
    const { playout, pass, inbound, audio } = play(2000);
    const first = inbound();
    playout.userSpeaks(first);
    playout.userSpeaks(inbound());
    const sent = audio().length;
    playout.userCeased(first);
    pass(1000);
    expect(audio()).toHaveLength(sent);
  });

  it("a reply whose last frame was sent: ends in its time", () => {
    const { userSpeaking, pass, states, turns } = play(6000);
    userSpeaking(true);
    pass(500);
    expect(states().at(-1)).toBe("stop");
    expect(turns).toMatchObject([{ complete: true }]);
  });

  it("a pause longer than the time in which a reply may run dry: it is not given up", () => {
    const stage = createStage();
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 60);
    for (const frame of frames.slice(0, 40)) stage.playout.frame(frame);
    stage.pass(2000);
    stage.userSpeaking(true);
    stage.pass(pauseMs - 100);
    stage.userSpeaking(false);
    for (const frame of frames.slice(40)) stage.playout.frame(frame);
    stage.pass(10_000);
    expect(stage.audio()).toHaveLength(60);
    expect(stage.turns).toMatchObject([{ complete: true }]);
  });
});
