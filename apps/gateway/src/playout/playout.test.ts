import type { DropReason, InControl, OutText, ServerMessage, TurnPlayed } from "@voxbus/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ticker } from "./clock.ts";
import { createHeld } from "../limits.ts";
import type { ReplyFrame } from "./buffer.ts";
import { announcementWaitMs, Speech, startGapMs, stopMarginMs } from "./playout.ts";
import type { SpeechEffects } from "./playout-effects.ts";

type Written = { readonly at: number } & (
  | { readonly text: OutText | ServerMessage }
  | { readonly audio: string }
  | { readonly mark: "abort" | "bargeIn"; readonly seq: number }
);

/** A session in virtual time: what would be on the wire, and what would be on the bus. */
function createStage(options: { readonly apology?: boolean } = {}) {
  let now = 1000;
  let seq = 0;
  let queue: { readonly at: number; readonly ticker: Ticker }[] = [];
  const wire: Written[] = [];
  const published: InControl[] = [];
  const turns: TurnPlayed[] = [];
  const drops: DropReason[] = [];
  const effects: SpeechEffects = {
    held: createHeld(1_000_000),
    seq: () => seq,
    now: () => now,
    wake: (ticker, at) => queue.push({ ticker, at }),
    writeText: (text) => wire.push({ at: now, text }),
    writeAudio: (packet) => wire.push({ at: now, audio: new TextDecoder().decode(packet) }),
    writable: () => true,
    publish: (body) => {
      seq += 1;
      published.push(body);
    },
    turnEnded: (turn) => turns.push(turn),
    drop: (reason) => drops.push(reason),
    apology: () => (options.apology ? [new TextEncoder().encode("sorry:0:0")] : undefined),
  };
  const speech = new Speech(effects, () => ({ lead: 2, deadlineMs: 15_000, dryMs: 5000 }));
  return {
    speech,
    held: effects.held,
    wire,
    published,
    turns,
    drops,
    now: () => now,
    seq: () => seq,
    /** A frame of the device was published. */
    inbound: () => (seq += 1),
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
    /** The process stands still, and then does first what was due meanwhile. */
    stall(ms: number) {
      now += ms;
      const due = queue.filter(({ at }) => at <= now);
      queue = queue.filter(({ at }) => at > now);
      for (const { ticker } of due) ticker.tick(now);
    },
    mark(mark: "abort" | "bargeIn", value: number) {
      wire.push({ at: now, mark, seq: value });
    },
    audio: () => wire.flatMap((item) => ("audio" in item ? [item.audio] : [])),
    states: () => wire.flatMap((item) => ("text" in item && item.text.type === "tts" ? [item.text.state] : [])),
  };
}

interface Line {
  readonly reply: string;
  readonly origin?: number;
  readonly attempt?: number;
  readonly repeatable?: boolean;
}

/** Frames of a reply of `sentences` sentences with `frames` audio frames each, behind a subtitle. */
function replyFrames(
  { reply, origin, attempt = 1, repeatable = false }: Line,
  sentences: number,
  frames: number,
): ReplyFrame[] {
  const all: ReplyFrame[] = [];
  for (let sentence = 0; sentence < sentences; sentence += 1) {
    const name = { v: 1 as const, reply, attempt, sentence, repeatable, ...(origin === undefined ? {} : { origin }) };
    all.push({
      ...name,
      n: 0,
      kind: "text",
      body: { type: "tts", state: "sentence_start", text: `${reply} ${sentence}` },
    });
    for (let n = 1; n <= frames; n += 1) {
      const end = n < frames ? undefined : sentence === sentences - 1 ? ("reply" as const) : ("sentence" as const);
      const body = new TextEncoder().encode(`${reply}:${sentence}:${n}`);
      all.push({ ...name, n, kind: "audio", duration: 60, body, ...(end ? { end } : {}) });
    }
  }
  return all;
}

const stt = (origin: number) => ({
  v: 1 as const,
  kind: "text" as const,
  origin,
  body: { type: "stt" as const, text: "hello" },
});

describe("speech", () => {
  it("turn: stt, tts/start, subtitle, paced audio, tts/stop when the sound was played", () => {
    const stage = createStage();
    const origin = stage.inbound();
    stage.speech.stt(stt(origin));
    stage.pass(40);
    for (const frame of replyFrames({ reply: "a", origin }, 2, 5)) stage.speech.frame(frame);
    stage.pass(5000);
    expect(stage.states()).toEqual(["start", "sentence_start", "sentence_start", "stop"]);
    const audio = stage.wire.filter((item) => "audio" in item);
    expect(audio).toHaveLength(10);
    const first = audio[0]?.at ?? 0;
    expect(first - 1000).toBe(startGapMs);
    // Two frames ahead: three leave at once, then one each 60 ms.
    expect(audio.map(({ at }) => at - first)).toEqual([0, 0, 0, 60, 120, 180, 240, 300, 360, 420]);
    expect((stage.wire.at(-1)?.at ?? 0) - first).toBe(10 * 60 + stopMarginMs);
    expect(stage.speech.fence).toBe(origin);
    expect(stage.turns).toMatchObject([{ origin, complete: true, played: [1, 5], firstAudio: 100 }]);
  });

  it("underrun: the clock starts anew and nothing is sent in a burst", () => {
    const stage = createStage();
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 9);
    for (const frame of frames.slice(0, 4)) stage.speech.frame(frame);
    stage.pass(900);
    for (const frame of frames.slice(4)) stage.speech.frame(frame);
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
      stage.speech.stt(stt(origin));
      const frames = replyFrames({ reply: "a", origin }, 2, 20);
      if (when !== "thought") for (const frame of frames.slice(0, 20)) stage.speech.frame(frame);
      if (when === "in mid-sentence") stage.pass(500);
      stage.speech.aborted(stage.inbound());
      const after = stage.wire.length;
      for (const frame of frames.slice(when === "thought" ? 0 : 20)) stage.speech.frame(frame);
      stage.pass(20_000);
      expect(stage.wire[after - 1]).toMatchObject({ text: { type: "tts", state: "stop" } });
      expect(stage.wire).toHaveLength(after);
    },
  );

  it("abort: is answered even when nothing sounds", () => {
    const stage = createStage();
    stage.speech.aborted(stage.inbound());
    expect(stage.states()).toEqual(["stop"]);
  });

  it("deadline: a turn without a reply is fenced, apologised for and ended", () => {
    const stage = createStage({ apology: true });
    const origin = stage.inbound();
    stage.speech.stt(stt(origin));
    stage.pass(20_000);
    expect(stage.audio()).toEqual(["sorry:0:0"]);
    expect(stage.states()).toEqual(["start", "stop"]);
    expect(stage.published).toContainEqual({ type: "fence", fence: origin });
    expect(stage.turns[0]).toMatchObject({ origin, complete: false, reason: "deadline" });
  });

  it("deadline: without a spoken apology the device is told by an alert", () => {
    const stage = createStage();
    stage.speech.stt(stt(stage.inbound()));
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
    for (const frame of replyFrames({ reply: "a", origin }, 1, 5).slice(0, 3)) stage.speech.frame(frame);
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
    for (const frame of frames.slice(0, 3)) stage.speech.frame(frame);
    stage.pass(2000);
    stage.stall(8000);
    for (const frame of frames.slice(3)) stage.speech.frame(frame);
    stage.pass(3000);
    expect(stage.audio()).toEqual([1, 2, 3, 4, 5].map((n) => `a:0:${n}`));
    expect(stage.turns).toMatchObject([{ origin, complete: true }]);
  });

  it("lost frame: those after it are asked for again, and nothing is said twice or left out", () => {
    const stage = createStage();
    const origin = stage.inbound();
    const frames = replyFrames({ reply: "a", origin }, 1, 8);
    for (const frame of frames.filter(({ n }) => n !== 3)) stage.speech.frame(frame);
    expect(stage.published).toEqual([{ type: "resend", reply: "a", origin, after: { attempt: 1, sentence: 0, n: 2 } }]);
    for (const frame of frames.slice(3)) stage.speech.frame(frame);
    stage.pass(3000);
    expect(stage.audio()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `a:0:${n}`));
  });

  it("handover: another attempt goes on with the next sentence, or with the next frame where the engine repeats itself", () => {
    for (const repeatable of [false, true]) {
      const stage = createStage();
      const origin = stage.inbound();
      for (const frame of replyFrames({ reply: "a", origin, repeatable }, 2, 4).slice(0, 3)) stage.speech.frame(frame);
      for (const frame of replyFrames({ reply: "a", origin, repeatable, attempt: 2 }, 2, 4)) stage.speech.frame(frame);
      stage.pass(5000);
      const first = repeatable ? [1, 2, 3, 4] : [1, 2];
      expect(stage.audio()).toEqual([...first.map((n) => `a:0:${n}`), ...[1, 2, 3, 4].map((n) => `a:1:${n}`)]);
      expect(stage.turns).toMatchObject([{ complete: true }]);
    }
  });

  it("typed text: fences what runs and not what it asks itself", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 30)) stage.speech.frame(frame);
    stage.pass(300);
    const typed = stage.inbound();
    stage.speech.typed(typed, "stop that");
    for (const frame of replyFrames({ reply: "b", origin: typed }, 1, 2)) stage.speech.frame(frame);
    stage.pass(3000);
    expect(stage.states()).toEqual(["start", "sentence_start", "stop", "start", "sentence_start", "stop"]);
    expect(stage.audio().filter((name) => name.startsWith("b"))).toEqual(["b:0:1", "b:0:2"]);
  });

  it("announcement: waits for the reply and for the user, at most 30 s", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 10)) stage.speech.frame(frame);
    for (const frame of replyFrames({ reply: "news" }, 1, 2)) stage.speech.frame(frame);
    stage.speech.hearing(true);
    stage.pass(announcementWaitMs - 2000);
    expect(stage.audio().filter((name) => name.startsWith("news"))).toEqual([]);
    stage.pass(4000);
    expect(stage.audio().slice(-2)).toEqual(["news:0:1", "news:0:2"]);
  });

  it("announcement: an abort kills it for good, a barge-in leaves one that waits alone", () => {
    const stage = createStage();
    const origin = stage.inbound();
    for (const frame of replyFrames({ reply: "a", origin }, 1, 30)) stage.speech.frame(frame);
    const [first, ...rest] = replyFrames({ reply: "news" }, 1, 3);
    stage.speech.frame(first as ReplyFrame);
    stage.speech.bargeIn(stage.inbound());
    for (const frame of rest) stage.speech.frame(frame);
    stage.pass(2000);
    expect(stage.audio().filter((name) => name.startsWith("news"))).toHaveLength(3);
    stage.speech.frame({ ...(first as ReplyFrame), reply: "other" });
    stage.speech.aborted(stage.inbound());
    for (const frame of rest) stage.speech.frame({ ...frame, reply: "other" });
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
      for (const frame of [...reply(1), ...reply(earlier), ...reply(later), ...reply(0)]) stage.speech.frame(frame);
      stage.pass(5000);
      expect(stage.audio()).toEqual(["r1:0:1", "r1:0:2", "r2:0:1", "r2:0:2", "r3:0:1", "r3:0:2"]);
      expect(stage.drops).toEqual(["superseded", "superseded", "superseded"]);
    }
  });

  it("future: an origin or fence above the session's own seq is refused", () => {
    const stage = createStage();
    stage.speech.stt(stt(5));
    stage.speech.bargeIn(5);
    for (const frame of replyFrames({ reply: "a", origin: 9 }, 1, 1)) stage.speech.frame(frame);
    expect(stage.wire).toEqual([]);
    expect(stage.drops).toEqual(["future-origin", "future-origin", "future-origin", "future-origin"]);
  });

  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("frames" as const),
        reply: fc.nat(3),
        attempt: fc.integer({ min: 1, max: 2 }),
        count: fc.integer({ min: 1, max: 8 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 900 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("stt" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("typed" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("bargeIn" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("announce" as const), count: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("hearing" as const), on: fc.boolean() }) },
  );

  it("any order: no stale frame is written, sound stays between start and stop, each reply in order and once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stage = createStage({ apology: true });
        const origins: number[] = [];
        const cursors = new Map<string, number>();
        const aborted: { readonly at: number; readonly seq: number; readonly announcements: number }[] = [];
        let announcements = 0;
        for (const item of steps) {
          if (item.do === "pass") stage.pass(item.ms);
          else if (item.do === "stt") {
            origins.push(stage.inbound());
            stage.speech.stt(stt(stage.seq()));
          } else if (item.do === "typed") {
            origins.push(stage.inbound());
            stage.speech.typed(stage.seq(), "text");
          } else if (item.do === "abort") {
            const seq = stage.inbound();
            stage.speech.aborted(seq);
            stage.mark("abort", seq);
            aborted.push({ at: stage.wire.length, seq, announcements });
          } else if (item.do === "bargeIn") stage.speech.bargeIn(stage.inbound());
          else if (item.do === "hearing") stage.speech.hearing(item.on);
          else if (item.do === "announce") {
            announcements += 1;
            for (const frame of replyFrames({ reply: `news${announcements}` }, 1, item.count))
              stage.speech.frame(frame);
          } else {
            const origin = origins.at(-1 - item.reply);
            if (origin === undefined) continue;
            const all = replyFrames({ reply: `r${origin}`, origin, attempt: item.attempt, repeatable: true }, 3, 6);
            const key = `${origin}/${item.attempt}`;
            const from = cursors.get(key) ?? 0;
            cursors.set(key, from + item.count);
            for (const frame of all.slice(from, from + item.count)) stage.speech.frame(frame);
          }
        }
        stage.pass(120_000);

        let speaking = false;
        const heard = new Map<string, number[]>();
        stage.wire.forEach((item, index) => {
          if ("text" in item && item.text.type === "tts" && item.text.state === "start") {
            expect(speaking).toBe(false);
            speaking = true;
          } else if ("text" in item && item.text.type === "tts" && item.text.state === "stop") speaking = false;
          else if ("audio" in item) {
            expect(speaking).toBe(true);
            const [reply = "", sentence, n] = item.audio.split(":");
            const names = heard.get(reply) ?? [];
            heard.set(reply, [...names, Number(sentence) * 100 + Number(n)]);
            const origin = reply.startsWith("r") ? Number(reply.slice(1)) : undefined;
            for (const abort of aborted) {
              if (abort.at > index) continue;
              if (origin !== undefined) expect(origin).toBeGreaterThan(abort.seq);
              if (reply.startsWith("news")) expect(Number(reply.slice(4))).toBeGreaterThan(abort.announcements);
            }
          }
        });
        for (const [reply, names] of heard) {
          if (reply === "sorry") continue;
          expect(names).toEqual([...new Set(names)].toSorted((a, b) => a - b));
        }
        // Everything came to an end, ended silent, and holds nothing.
        expect(stage.held.bytes).toBe(0);
        expect(speaking).toBe(false);
        expect(stage.speech.speaking).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("any order: the newest reply that nobody fenced is heard whole", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (steps, chunk) => {
        const stage = createStage({ apology: true });
        for (const item of steps) {
          if (item.do === "pass") stage.pass(item.ms);
          else if (item.do === "stt") stage.speech.stt(stt(stage.inbound()));
          else if (item.do === "abort") stage.speech.aborted(stage.inbound());
          else if (item.do === "bargeIn") stage.speech.bargeIn(stage.inbound());
          else if (item.do === "frames" && stage.seq() > 0) {
            const origin = Math.max(1, stage.seq() - item.reply);
            for (const frame of replyFrames({ reply: `r${origin}`, origin, attempt: item.attempt }, 2, item.count))
              stage.speech.frame(frame);
          }
        }
        stage.speech.hearing(false);
        const origin = stage.inbound();
        stage.speech.stt(stt(origin));
        const frames = replyFrames({ reply: "last", origin }, 2, 10);
        for (let at = 0; at < frames.length; at += chunk) {
          for (const frame of frames.slice(at, at + chunk)) stage.speech.frame(frame);
          stage.pass(50);
        }
        stage.pass(60_000);
        expect(stage.audio().filter((name) => name.startsWith("last"))).toHaveLength(20);
      }),
      { numRuns: 300 },
    );
  });
});
