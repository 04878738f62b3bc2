import { createNoise } from "@voxbus/audio";
import { createWorkerPool } from "@voxbus/workers";
import { encodeSpeech, loadSpeech, silence } from "@voxbus/testing";
import { afterEach, describe, expect, test } from "vitest";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import { createAudioFrontEnd, type AudioFrontEnd, type FrontEndEvent, type FrontEndInput } from "./audio-front-end.ts";
import { joinSamples } from "./join-samples.ts";

const options = { endMs: 600, pauseMs: 300, maxMs: 30_000 };
const hour = { endMs: Infinity, pauseMs: Infinity, maxMs: 3_600_000 };

const toPackets = (sound: Int16Array, firstSeq = 1): FrontEndInput[] =>
  encodeSpeech(sound).map((packet, i) => ({ type: "packet", seq: firstSeq + i, packet }));
const types = (found: readonly FrontEndEvent[]) =>
  found.map(({ type }) => type).filter((type) => type !== "speech" && type !== "pause");
const speechOf = (found: readonly FrontEndEvent[]) =>
  joinSamples(...found.flatMap((f) => (f.type === "speech" ? [f.samples] : [])));

describe("audio front end", () => {
  const open: AudioFrontEnd[] = [];
  const listen = (heard: readonly FrontEndInput[], endOfSpeech = options) => {
    const frontEnd = createAudioFrontEnd(endOfSpeech);
    open.push(frontEnd);
    return heard.flatMap((each) => frontEnd.write(each));
  };
  afterEach(() => {
    for (const frontEnd of open.splice(0)) frontEnd.close();
  });

  test("speech between silences: one utterance, with 300 ms before it and little after it", () => {
    const speech = loadSpeech("time");
    const found = listen(toPackets(joinSamples(silence(1200), speech, silence(1200))));
    expect(types(found)).toEqual(["onset", "end"]);
    const [onset, end] = [found[0], found.at(-1)];
    if (onset?.type !== "onset" || end?.type !== "end") throw new Error("no utterance");
    const [first, last] = [1200 / 60 + 1, (1200 + speech.length / 16) / 60];
    expect(Math.abs(onset.from - first)).toBeLessThanOrEqual(4);
    expect(Math.abs(end.origin - last)).toBeLessThanOrEqual(4);
    const length = speechOf(found).length / 16;
    const spoken = (end.origin - onset.from) * 60;
    expect(length).toBeGreaterThanOrEqual(spoken + 240);
    expect(length).toBeLessThanOrEqual(spoken + 540);
  });

  test("a pause shorter than the end of speech: stays in the utterance and reaches the recognizer", () => {
    const speech = loadSpeech("time");
    const pause = joinSamples(silence(900), speech, silence(60), speech, silence(900));
    expect(types(listen(toPackets(pause)))).toEqual(["onset", "end"]);
    const gap = joinSamples(silence(900), speech, silence(1000), speech, silence(900));
    expect(types(listen(toPackets(gap)))).toEqual(["onset", "end", "onset", "end"]);
  });

  test("a pause: is told once, and may be made longer or shorter until voice is heard again", () => {
    const frontEnd = createAudioFrontEnd(options);
    open.push(frontEnd);
    const write = (heard: readonly FrontEndInput[]) => heard.flatMap((each) => frontEnd.write(each));
    const speech = loadSpeech("time");
    const pause = write(toPackets(joinSamples(silence(900), speech, silence(420)))).filter(
      ({ type }) => type === "pause",
    );
    expect(pause).toHaveLength(1);
    const { origin } = pause[0] as Extract<FrontEndEvent, { type: "pause" }>;
    frontEnd.write({ type: "endAfter", origin: origin - 1, pauseMs: 200 });
    frontEnd.write({ type: "endAfter", origin, pauseMs: 1200 });
    expect(types(write(toPackets(silence(600), 200)))).toEqual([]);
    frontEnd.write({ type: "endAfter", origin, pauseMs: 300 });
    const found = write(toPackets(silence(60), 300));
    expect(types(found)).toEqual(["end"]);
    expect(found).toContainEqual(expect.objectContaining({ type: "end", origin }));
  });

  test("a pause within an utterance: reaches the recognizer shortened", () => {
    const speech = loadSpeech("time");
    const lengthOf = (ms: number) =>
      speechOf(listen(toPackets(joinSamples(silence(900), speech, silence(ms), speech, silence(900))))).length / 16;
    expect(Math.abs(lengthOf(560) - lengthOf(420))).toBeLessThan(60);
  });

  test("voicing: speech has a pitch, slams have none", () => {
    const share = (sound: Int16Array) => {
      const ends = listen(toPackets(sound)).flatMap((event) => (event.type === "end" ? [event.voicing] : []));
      expect(ends.length).toBeGreaterThan(0);
      return (
        ends.reduce((sum, { pitchedMs }) => sum + pitchedMs, 0) / ends.reduce((sum, { voicedMs }) => sum + voicedMs, 0)
      );
    };
    const speech = loadSpeech("time");
    expect(share(joinSamples(silence(900), speech, silence(900)))).toBeGreaterThan(0.5);
    expect(share(createNoise("slams", { level: "middle", seconds: 8, seed: 1, speech: [speech] }))).toBeLessThan(0.3);
  });

  test("no end of speech: only a flush ends the utterance, and silence has none", () => {
    const spoken = toPackets(joinSamples(silence(600), loadSpeech("time"), silence(2000)));
    expect(types(listen(spoken, hour))).toEqual(["onset"]);
    expect(types(listen([...spoken, { type: "flush" }], hour))).toEqual(["onset", "end", "flushed"]);
    expect(types(listen([...toPackets(silence(900)), { type: "flush" }], hour))).toEqual(["flushed"]);
  });

  test("the maximum length: cuts the utterance", () => {
    const speech = loadSpeech("time");
    const found = listen(toPackets(joinSamples(silence(600), speech, speech, speech)), {
      endMs: 600,
      pauseMs: 300,
      maxMs: 1000,
    });
    expect(types(found).slice(0, 3)).toEqual(["onset", "end", "onset"]);
  });

  test("garbage among the packets: is reported by name and changes nothing else", () => {
    const spoken = toPackets(joinSamples(silence(900), loadSpeech("time"), silence(900)));
    const garbage = [new Uint8Array(0), new Uint8Array(1920).fill(255), new Uint8Array(9000)];
    const mixed = spoken.flatMap((heard, i) => [
      { type: "packet" as const, seq: 1, packet: garbage[i % garbage.length]! },
      heard,
    ]);
    const found = listen(mixed);
    expect(types(found).filter((type) => type !== "invalid")).toEqual(["onset", "end"]);
    expect(types(found).filter((type) => type === "invalid")).toHaveLength(spoken.length);
    expect(speechOf(found)).toEqual(speechOf(listen(spoken)));
  });

  test("lost frames: pass as silence", () => {
    const spoken = toPackets(joinSamples(silence(900), loadSpeech("time")));
    expect(types(listen([...spoken, { type: "lost", seq: 100, frames: 5 }]))).toEqual(["onset"]);
    expect(types(listen([...spoken, { type: "lost", seq: 100, frames: 11 }]))).toEqual(["onset", "end"]);
  });

  test("silence under DTX: costs no decoding and speech after it is found", () => {
    const quiet = Array.from({ length: 5000 }, (_, i): FrontEndInput => ({
      type: "packet",
      seq: i + 1,
      packet: new Uint8Array([0x58]),
    }));
    const started = performance.now();
    const found = listen([...quiet, ...toPackets(loadSpeech("time"), 5001), ...quiet.slice(0, 15)]);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(types(found)).toEqual(["onset", "end"]);
    expect(found[0]).toMatchObject({ type: "onset", from: expect.closeTo(5002, -1) as number });
  });
});

test("a front-end thread: holds thousands of silent slots and hears the one that speaks", async () => {
  const url = new URL("../dist/threads/audio-front-end-worker.js", import.meta.url);
  const pool = createWorkerPool<AudioFrontEndContract>({ url, size: 1, perWorker: 4000, workerData: null });
  try {
    await pool.ready();
    const before = process.memoryUsage().rss;
    const tasks = Array.from({ length: 3000 }, () => pool.open(options));
    for (const task of tasks)
      for (let seq = 1; seq <= 5; seq++) task.write({ type: "packet", seq, packet: new Uint8Array([0x58]) });
    const [speaker] = tasks;
    for (const heard of toPackets(joinSamples(loadSpeech("time"), silence(900)), 6)) speaker!.write(heard);
    for (const task of tasks) task.end();
    const found = await Promise.all(
      tasks.map(async ({ results }) => {
        const all: FrontEndEvent[] = [];
        for await (const each of results) all.push(...each);
        return types(all);
      }),
    );
    expect(found[0]).toEqual(["onset", "end"]);
    expect(found.slice(1).flat()).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  } finally {
    await pool.close();
  }
});
