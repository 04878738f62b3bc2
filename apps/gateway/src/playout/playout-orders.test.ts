import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createStage, replyFrames } from "./test-stage.ts";

describe("playout", () => {
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
    { weight: 1, arbitrary: fc.record({ do: fc.constant("userSpeaking" as const), on: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("working" as const), waits: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("shed" as const) }) },
  );

  it("any order: no stale frame is written, sound stays between start and stop, each reply in order and once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stage = createStage({ sounds: true });
        const origins: number[] = [];
        const cursors = new Map<string, number>();
        const aborted: { readonly at: number; readonly seq: number; readonly announcements: number }[] = [];
        let announcements = 0;
        for (const item of steps) {
          if (item.do === "pass") stage.pass(item.ms);
          else if (item.do === "stt") {
            origins.push(stage.inbound());
            stage.playout.transcript(stage.seq(), "hello");
          } else if (item.do === "typed") {
            origins.push(stage.inbound());
            stage.playout.typed(stage.seq(), "text");
          } else if (item.do === "abort") {
            const seq = stage.inbound();
            stage.playout.abort(seq);
            stage.mark("abort", seq);
            aborted.push({ at: stage.wire.length, seq, announcements });
          } else if (item.do === "bargeIn") stage.playout.bargeIn(stage.inbound());
          else if (item.do === "userSpeaking") stage.userSpeaking(item.on);
          else if (item.do === "working") stage.playout.working({ origin: stage.seq() }, item.waits);
          else if (item.do === "shed") stage.playout.shed(origins.at(-1) ?? 0);
          else if (item.do === "announce") {
            announcements += 1;
            for (const frame of replyFrames({ reply: `news${announcements}` }, 1, item.count))
              stage.playout.frame(frame);
          } else {
            const origin = origins.at(-1 - item.reply);
            if (origin === undefined) continue;
            const all = replyFrames({ reply: `r${origin}`, origin, attempt: item.attempt, repeatable: true }, 3, 6);
            const key = `${origin}/${item.attempt}`;
            const from = cursors.get(key) ?? 0;
            cursors.set(key, from + item.count);
            for (const frame of all.slice(from, from + item.count)) stage.playout.frame(frame);
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
          // Two turns in a row may have the same words of the gateway.
          if (["apology", "wait", "busy"].includes(reply)) continue;
          expect(names).toEqual([...new Set(names)].toSorted((a, b) => a - b));
        }
        // Everything came to an end, ended silent, and holds nothing.
        expect(stage.memory.bytes).toBe(0);
        expect(speaking).toBe(false);
        expect(stage.playout.speaking).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("any order: the newest reply is heard whole if nothing fences it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (steps, chunk) => {
        const stage = createStage({ sounds: true });
        for (const item of steps) {
          if (item.do === "pass") stage.pass(item.ms);
          else if (item.do === "stt") stage.playout.transcript(stage.inbound(), "hello");
          else if (item.do === "abort") stage.playout.abort(stage.inbound());
          else if (item.do === "bargeIn") stage.playout.bargeIn(stage.inbound());
          else if (item.do === "frames" && stage.seq() > 0) {
            const origin = Math.max(1, stage.seq() - item.reply);
            for (const frame of replyFrames({ reply: `r${origin}`, origin, attempt: item.attempt }, 2, item.count))
              stage.playout.frame(frame);
          }
        }
        stage.userSpeaking(false);
        const origin = stage.inbound();
        stage.playout.transcript(origin, "hello");
        const frames = replyFrames({ reply: "last", origin }, 2, 10);
        for (let at = 0; at < frames.length; at += chunk) {
          for (const frame of frames.slice(at, at + chunk)) stage.playout.frame(frame);
          stage.pass(50);
        }
        stage.pass(60_000);
        expect(stage.audio().filter((name) => name.startsWith("last"))).toHaveLength(20);
      }),
      { numRuns: 300 },
    );
  });
});
