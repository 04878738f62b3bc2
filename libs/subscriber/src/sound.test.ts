import { createOpusDecoder } from "@voxbus/audio";
import { channels, type InAudio, type InControlFrame, type Outbound } from "@voxbus/protocol";
import { createInbox, createTone, encodeSpeech, silence, startTcpProxy } from "@voxbus/testing";
import { expect, test, vi } from "vitest";
import { FencedError, startSubscriber, type Context } from "./index.ts";
import { readMetrics, useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();

const speak = (device: string, seq: number, body: Uint8Array, session = "s1") =>
  programs.gateway.publish(channels.inAudio(device), { session, seq, at: 1, kind: "audio", body, duration: 60 });
const control = (body: InControlFrame["body"], session = "s1"): InControlFrame => {
  return { session, seq: 50, at: 1, kind: "control", body };
};

/** Reads the sound that a device gets, with the times at which it came (ms). */
async function hear(device: string) {
  const heard = createInbox<{ readonly frame: Outbound; readonly at: number }>();
  programs.gateway.subscribe(channels.out(device), (frame) => heard.put({ frame, at: performance.now() }));
  await programs.gateway.flush();
  return heard;
}

test("mic: the packets of a device come in order, and the loop ends with its signal", async () => {
  const { context } = await programs.open();
  const ended = new AbortController();
  const packets = context.mic.opus("mic-1", {}, ended.signal);
  await context.bus.flush();
  for (const seq of [1, 2, 3]) speak("mic-1", seq, Uint8Array.of(24, seq));
  speak("mic-2", 9, Uint8Array.of(24, 9));
  const seqs: number[] = [];
  for await (const { seq } of packets) {
    seqs.push(seq);
    if (seq === 3) ended.abort();
  }
  expect(seqs).toEqual([1, 2, 3]);
  expect(await packets.next()).toEqual({ done: true, value: undefined });
});

test("mic: a reader that is slow loses the oldest packets, which are counted", async () => {
  const { context, program } = await programs.open();
  const packets = context.mic.opus("mic-slow", { waiting: 2 });
  await context.bus.flush();
  for (const seq of [1, 2, 3, 4, 5]) speak("mic-slow", seq, Uint8Array.of(24, seq));
  await vi.waitFor(async () =>
    expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="queue-full"[^}]*\} 3/),
  );
  const { value } = await packets.next();
  expect((value as InAudio).seq).toBe(4);
  await packets.return?.();
});

test("mic: reads that wait at the same time get the packets in their order, and end with the microphone", async () => {
  const { context } = await programs.open();
  const packets = context.mic.opus("mic-reads");
  await context.bus.flush();
  const reads = Array.from({ length: 3 }, () => packets.next());
  for (const seq of [1, 2]) speak("mic-reads", seq, Uint8Array.of(24, seq));
  const first = await Promise.all(reads.slice(0, 2));
  expect(first.map(({ value }) => (value as InAudio).seq)).toEqual([1, 2]);
  await packets.return?.();
  expect(await reads[2]).toEqual({ value: undefined, done: true });
});

test("mic: samples are decoded, an invalid packet is dropped, and a loop that is left ends the subscription", async () => {
  const { context, program } = await programs.open();
  const samples = context.mic.pcm("mic-pcm", { sampleRate: 24_000 });
  await context.bus.flush();
  const [tone] = encodeSpeech(createTone(16_000, 60));
  speak("mic-pcm", 1, Uint8Array.of(255));
  speak("mic-pcm", 2, tone!);
  speak("mic-pcm", 3, tone!, "s2");
  const got: unknown[] = [];
  for await (const one of samples) {
    got.push([one.session, one.seq, one.sampleRate, one.samples.length]);
    if (got.length === 2) break;
  }
  expect(got).toEqual([
    ["s1", 2, 24_000, 1440],
    ["s2", 3, 24_000, 1440],
  ]);
  expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="bad-packet"[^}]*\} 1/);
  const waiting = context.mic.pcm("mic-pcm");
  const next = waiting.next();
  await waiting.return?.();
  expect((await next).done).toBe(true);
});

test("mic: limits and ids are checked", async () => {
  const { context } = await programs.open();
  expect(() => context.mic.opus("a.b")).toThrow(expect.objectContaining({ code: "bad-id" }));
  expect(() => context.mic.pcm("d1", { waiting: 0 })).toThrow("waiting: expected an integer from 1 to 8192");
});

test("speaker: packets are sent at their time, and no earlier", async () => {
  const { context } = await programs.open();
  const heard = await hear("speaker-1");
  const speaker = context.speaker("speaker-1", { session: "s1", origin: 4 });
  const began = performance.now();
  for (let n = 0; n < 10; n += 1) expect(await speaker.write(Uint8Array.of(24, n))).toBe(true);
  expect(await speaker.end()).toBe(true);
  const took = performance.now() - began;
  // Ten packets of 60 ms.
  expect(took).toBeGreaterThan(590);
  await vi.waitFor(() => expect(heard.items).toHaveLength(10));
  for (const [n, { frame, at }] of heard.items.entries()) {
    expect(frame).toMatchObject({ session: "s1", origin: 4, kind: "audio", duration: 60, body: Buffer.from([24, n]) });
    // The packet before it is heard then, and one more is on its way. Timers may fire 1 ms early.
    expect(at - began).toBeGreaterThan(n * 60 - 120 - 2);
  }
});

test("speaker: samples become packets of 60 ms, the rest too", async () => {
  const { context } = await programs.open();
  const heard = await hear("speaker-pcm");
  const speaker = context.speaker("speaker-pcm", { sampleRate: 16_000 });
  void speaker.writeSamples(silence(100));
  void speaker.writeSamples(silence(50));
  expect(await speaker.end()).toBe(true);
  await vi.waitFor(() => expect(heard.items).toHaveLength(3));
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  for (const { frame } of heard.items) expect(decoder.decode(frame.body as Uint8Array)).toHaveLength(960);
  decoder.close();
});

test.each([
  ["an abort", "abort", {}, { type: "abort" }],
  ["the end of the session", "closed", { session: "s1" }, { type: "closed", code: 1000, reason: "done" }],
  ["the fence of its turn", "fence", { session: "s1", origin: 4 }, { type: "fence", fence: 4 }],
] as const)("speaker: %s ends it", async (_, name, about, body) => {
  const { context } = await programs.open();
  const device = `speaker-${name}`;
  const heard = await hear(device);
  const speaker = context.speaker(device, about);
  await context.bus.flush();
  // Of another session.
  if ("session" in about)
    programs.gateway.publish({ ...channels.inControl(device), delivery: "live" }, control({ type: "abort" }, "s0"));
  let sent = 0;
  await speaker.write(Uint8Array.of(24));
  programs.gateway.publish({ ...channels.inControl(device), delivery: "live" }, control(body));
  while (await speaker.write(Uint8Array.of(24))) sent += 1;
  expect(speaker.signal.reason).toBeInstanceOf(FencedError);
  expect(sent).toBeLessThan(30);
  expect(await speaker.end()).toBe(false);
  await vi.waitFor(() => expect(heard.items).toHaveLength(sent + 1));
});

test("speaker: a writer that does not wait is refused, and what NATS does not take is counted", async () => {
  const proxy = await startTcpProxy(programs.nats.url);
  let context: Context | undefined;
  const program = await startSubscriber({ name: "cut" }, (given) => void (context = given), {
    VOXBUS_NATS_URL: proxy.url,
    VOXBUS_LOG_LEVEL: "fatal",
  });
  const speaker = context!.speaker("speaker-cut");
  proxy.close();
  await vi.waitFor(() => expect(context!.bus.connected()).toBe(false), 5000);
  expect(await speaker.write(Uint8Array.of(24))).toBe(true);
  expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="bus-away"[^}]*\} 1/);
  const writes = Array.from({ length: 260 }, () => speaker.write(Uint8Array.of(24)));
  const refused = Promise.allSettled(writes.slice(250));
  for (const result of await refused)
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(RangeError) });
  speaker.close();
  expect(await Promise.all(writes.slice(3, 250))).toEqual(Array.from({ length: 247 }, () => false));
  await program.stop("quick");
});
