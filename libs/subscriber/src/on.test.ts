import { loose } from "@voxbus/testing";
import { channels, type Heard, type InAudio, type InControlFrame } from "@voxbus/protocol";
import { expect, test, vi } from "vitest";
import { FencedError } from "./index.ts";
import { readMetrics, useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();
const frame = (seq: number) => ({ session: "s1", seq, at: 1, kind: "audio", body: Uint8Array.of(seq) });

function heard(origin: number, text: string): Heard {
  return { session: "s1", listen: 1, utterance: 1, from: 1, origin, text, language: "en" };
}

test("on: gets the frames of one device, or of all", async () => {
  const one: number[] = [];
  const all: string[] = [];
  await programs.start(({ on }) => {
    on.audio((message) => void one.push(message.seq), { device: "AA:BB:CC:DD:EE:01" });
    on.audio((_, from) => void all.push(from.device));
  });
  programs.gateway.publish(loose(channels.inAudio("aa:bb:cc:dd:ee:01")), frame(1));
  programs.gateway.publish(loose(channels.inAudio("other")), frame(2));
  await vi.waitFor(() => expect(all).toEqual(["aa:bb:cc:dd:ee:01", "other"]));
  expect(one).toEqual([1]);
});

test("on: control includes listens, in order with everything else", async () => {
  const types: string[] = [];
  await programs.start(({ on }) => void on.control((message) => void types.push(message.body.type)));
  const control = (seq: number, body: InControlFrame["body"]): InControlFrame => {
    return { session: "s1", seq, at: 1, kind: "control", body };
  };
  programs.gateway.publish(
    loose(channels.inControlOpen("d1")),
    control(1, { type: "listen", mode: "auto", gateway: "g1" }),
  );
  programs.gateway.publish(loose(channels.inControl("d1")), control(2, { type: "stop" }));
  programs.gateway.publish(
    loose(channels.inControlOpen("d1")),
    control(3, { type: "listen", mode: "auto", gateway: "g1" }),
  );
  await vi.waitFor(() => expect(types).toEqual(["listen", "stop", "listen"]));
});

test("on: each message goes to one of the programs with the same queue", async () => {
  const got: number[] = [];
  for (const name of ["left", "right"]) {
    await programs.start(
      ({ on }) => void on.audio((message) => void got.push(message.seq), { queue: "q", device: "d1" }),
      { name },
    );
  }
  const sent = Array.from({ length: 40 }, (_, index) => index + 1);
  for (const seq of sent) programs.gateway.publish(loose(channels.inAudio("d1")), frame(seq));
  await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(40));
  expect(got.toSorted((a, b) => a - b)).toEqual(sent);
});

test("on: an async handler gets the messages of a device in order, and drops beyond its limits are counted", async () => {
  const begun: number[] = [];
  let openGate = () => {};
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const program = await programs.start(({ on }) => {
    const wait = async ({ seq }: InAudio) => {
      begun.push(seq);
      await gate;
    };
    on.audio(wait, { device: "order-1", waiting: 2 });
  });
  for (const seq of [1, 2, 3, 4, 5]) programs.gateway.publish(loose(channels.inAudio("order-1")), frame(seq));
  await vi.waitFor(async () =>
    expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="queue-full"[^}]*\} 2/),
  );
  expect(begun).toEqual([1]);
  openGate();
  await vi.waitFor(() => expect(begun).toEqual([1, 2, 3]));
});

test("on: the signal of a turn's message aborts at the fence, and the handler's error is then no failure", async () => {
  const aborted: unknown[] = [];
  const program = await programs.start(({ on }) => {
    on.text(async ({ body }, { signal, session, origin }) => {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("cut")));
      }).finally(() => aborted.push([body, session, origin, signal.reason]));
    });
  });
  const control = (body: InControlFrame["body"], seq: number): InControlFrame => {
    return { session: "s1", seq, at: 1, kind: "control", body };
  };
  const text = (seq: number) => ({ session: "s1", seq, at: 1, kind: "text", body: `text ${seq}` });
  programs.gateway.publish(loose(channels.inText("fence-1")), text(3));
  programs.gateway.publish(loose(channels.inText("fence-2")), text(9));
  programs.gateway.publish(loose(channels.inControl("fence-1")), control({ type: "fence", fence: 2 }, 4));
  programs.gateway.publish(loose(channels.inControl("fence-1")), control({ type: "abort" }, 5));
  await vi.waitFor(() => expect(aborted).toEqual([["text 3", "s1", 3, expect.any(FencedError)]]));
  programs.gateway.publish(
    loose(channels.inControl("fence-2")),
    control({ type: "closed", code: 1000, reason: "done" }, 10),
  );
  await vi.waitFor(() => expect(aborted).toHaveLength(2));
  expect(await readMetrics(program)).not.toMatch(/"handler-failed"\S* [1-9]/);
});

test("on: a handler that takes too long has its signal aborted, and the next message is handled", async () => {
  const begun: string[] = [];
  const program = await programs.start(({ on }) => {
    const hang = async ({ body }: { readonly body: string }, { signal }: { readonly signal: AbortSignal }) => {
      begun.push(body);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      begun.push("aborted");
      await new Promise(() => undefined);
    };
    on.text(hang, { device: "slow-1", timeoutMs: 50 });
  });
  for (const seq of [1, 2]) {
    const text = { session: "s1", seq, at: 1, kind: "text", body: `text ${seq}` };
    programs.gateway.publish(loose(channels.inText("slow-1")), text);
  }
  await vi.waitFor(() => expect(begun).toEqual(["text 1", "aborted", "text 2", "aborted"]));
  await vi.waitFor(async () =>
    expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="handler-timeout"[^}]*\} 2/),
  );
});

test("on: errors of handlers are counted, and the next messages come", async () => {
  const got: number[] = [];
  const program = await programs.start(({ on }) => {
    on.audio((message) => {
      got.push(message.seq);
      throw new Error("broken");
    });
    on.audio(async ({ seq }: InAudio) => Promise.reject(new Error(`broken ${seq}`)));
  });
  for (const seq of [1, 2, 3]) programs.gateway.publish(loose(channels.inAudio("d1")), frame(seq));
  await vi.waitFor(async () =>
    expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="handler-failed"[^}]*\} 6/),
  );
  expect(got).toEqual([1, 2, 3]);
});

test("on: a program that stops finishes the messages that have come, and takes no more", async () => {
  const begun: string[] = [];
  const said: string[] = [];
  let openGate = () => {};
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const program = await programs.start(({ on, send }) => {
    on.text(
      async ({ body }, { device }) => {
        begun.push(body);
        await gate;
        const { reply } = await send.say(device, body);
        said.push(reply);
      },
      { device: "stop-1" },
    );
  });
  const type = (seq: number) => {
    const text = { session: "s1", seq, at: 1, kind: "text", body: `text ${seq}` };
    programs.gateway.publish(loose(channels.inText("stop-1")), text);
  };
  type(1);
  type(2);
  await vi.waitFor(() => expect(begun).toEqual(["text 1"]), 10_000);
  const stopped = program.stop("drain");
  type(3);
  await programs.gateway.flush();
  openGate();
  await stopped;
  expect(begun).toEqual(["text 1", "text 2"]);
  expect(said).toHaveLength(2);
});

test("on: a program that stops leaves a queue at once, and takes no second message of an async handler that was idle", async () => {
  const begun: string[] = [];
  let openGate = () => {};
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const take = async (name: string) => {
    begun.push(name);
    await gate;
  };
  const program = await programs.start(({ on }) => {
    on.text(() => take("busy"), { device: "stop-3" });
    on.text(() => take("queue"), { device: "stop-4", queue: "door" });
    on.text(() => take("idle"), { device: "stop-5" });
  });
  const type = (device: string) =>
    programs.gateway.publish(loose(channels.inText(device)), {
      session: "s1",
      seq: 1,
      at: 1,
      kind: "text",
      body: "hello",
    });
  type("stop-3");
  await vi.waitFor(() => expect(begun).toEqual(["busy"]));
  const stopped = program.stop("drain");
  for (const device of ["stop-4", "stop-5", "stop-5"]) type(device);
  await vi.waitFor(() => expect(begun).toEqual(["busy", "idle"]));
  await programs.gateway.flush();
  openGate();
  await stopped;
  expect(begun).toEqual(["busy", "idle"]);
});

test("on: a stop in a hurry does not wait for a handler that hangs", async () => {
  let begin = () => {};
  let end = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const hanging = new Promise<void>((resolve) => (end = resolve));
  const program = await programs.start(({ on }) => {
    const hang = () => {
      begin();
      return hanging;
    };
    on.text(hang, { device: "stop-2" });
  });
  const text = { session: "s1", seq: 1, at: 1, kind: "text", body: "text" };
  programs.gateway.publish(loose(channels.inText("stop-2")), text);
  await begun;
  const since = performance.now();
  await program.stop("quick");
  expect(performance.now() - since).toBeLessThan(10_000);
  end();
});

test("on: messages that do not decode are skipped and counted by reason", async () => {
  const got: number[] = [];
  const program = await programs.start(({ on }) => void on.audio((message) => void got.push(message.seq)));
  const channel = loose(channels.inAudio("d1"));
  programs.gateway.publish(channel, Uint8Array.of(0xc1));
  programs.gateway.publish(channel, { ...frame(1), v: 2 });
  programs.gateway.publish(channel, { ...frame(1), seq: 0 });
  programs.gateway.publish(channel, frame(4));
  await vi.waitFor(() => expect(got).toEqual([4]));
  const text = await readMetrics(program);
  expect(text).toMatch(/voxbus_bus_drops_total\{[^}]*reason="bad-envelope"[^}]*\} 2/);
  expect(text).toMatch(/voxbus_bus_drops_total\{[^}]*reason="newer-version"[^}]*\} 1/);
});

test("on: heard has what was stored, once, and not what the stream refused", async () => {
  const texts: string[] = [];
  await programs.start(({ on }) => void on.heard((message) => void texts.push(message.text), { device: "heard-1" }));
  const subject = channels.heard("heard-1");
  await programs.gateway.store(subject, heard(5, "lights on"), { expected: 0 });
  await expect(programs.gateway.store(subject, heard(5, "lights off"), { expected: 0 })).rejects.toThrow();
  const { newest } = await programs.gateway.lastStored(subject);
  await programs.gateway.store(subject, heard(9, "thank you"), { expected: newest });
  await vi.waitFor(() => expect(texts).toEqual(["lights on", "thank you"]));
});

test("on: a closed handle gets no more messages", async () => {
  const got: number[] = [];
  const { context } = await programs.open();
  const closer = context.on.audio((message) => void got.push(message.seq));
  const other: number[] = [];
  context.on.audio((message) => void other.push(message.seq));
  closer.close();
  await context.bus.flush();
  programs.gateway.publish(loose(channels.inAudio("d1")), frame(1));
  await vi.waitFor(() => expect(other).toEqual([1]));
  expect(got).toEqual([]);
});
