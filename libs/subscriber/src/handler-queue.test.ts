import { DroppedError } from "@voxbus/bus";
import { afterEach, expect, test } from "vitest";
import { createHandlerQueue, type HandlerLimits } from "./handler-queue.ts";

let over = new AbortController();
// A message that is left would be late a minute later, in another test of this process.
afterEach(() => {
  over.abort();
  over = new AbortController();
});

/** A queue whose handler works on each message until the test ends it, or is over. */
function open(limits: HandlerLimits = {}) {
  const { signal } = over;
  const begun: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const expired: string[] = [];
  const enqueue = createHandlerQueue((message: string) => {
    begun.push(message);
    return new Promise<void>((resolve, reject) => {
      ends.set(message, { resolve, reject });
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve());
    });
  }, limits);
  const put = (message: string) => enqueue(message, { device: message[0]!, expire: () => expired.push(message) });
  const end = (message: string) => ends.get(message)!.resolve();
  return { begun, ends, expired, put, end };
}

test("handler queue: the messages of a device are handled in order, those of others meanwhile", async () => {
  const { begun, put, end } = open();
  const first = put("a1");
  const second = put("a2");
  void put("a3");
  void put("b1");
  expect(begun).toEqual(["a1", "b1"]);
  end("a1");
  await first;
  await expect.poll(() => begun).toEqual(["a1", "b1", "a2"]);
  end("a2");
  await second;
  await expect.poll(() => begun).toEqual(["a1", "b1", "a2", "a3"]);
});

test("handler queue: without an order the messages of a device are handled at once", () => {
  const { begun, put } = open({ order: "none" });
  void put("a1");
  void put("a2");
  expect(begun).toEqual(["a1", "a2"]);
});

test.each(["device", "none"] as const)("handler queue, order %s: no more than `concurrency` at once", async (order) => {
  const { begun, put, end } = open({ order, concurrency: 2 });
  const all = ["a1", "b1", "c1", "d1", "e1"];
  const results = all.map(put);
  expect(begun).toEqual(["a1", "b1"]);
  for (const [n, message] of all.entries()) {
    end(message);
    await results[n];
    await expect.poll(() => begun).toEqual(all.slice(0, n + 3));
  }
});

test("handler queue: a device that waits does not take the places of others", async () => {
  const { begun, put, end } = open({ concurrency: 1, waiting: 2 });
  const first = put("a1");
  void put("a2");
  void put("a3");
  void put("b1");
  expect(() => put("a4")).toThrow(new DroppedError("queue-full", "at most 2 messages that wait of one device"));
  end("a1");
  await first;
  await expect.poll(() => begun).toEqual(["a1", "b1"]);
  end("b1");
  await expect.poll(() => begun).toEqual(["a1", "b1", "a2"]);
});

test("handler queue: a failed message rejects, and the next one is handled", async () => {
  const { begun, ends, put } = open();
  const first = put("a1");
  void put("a2");
  ends.get("a1")!.reject(new Error("broken"));
  await expect(first).rejects.toThrow("broken");
  await expect.poll(() => begun).toEqual(["a1", "a2"]);
});

test("handler queue: a handler that throws at once or hangs frees its place", async () => {
  let calls = 0;
  let openGate = () => {};
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const enqueue = createHandlerQueue(
    (message: string) => {
      calls += 1;
      if (message === "wait") return gate;
      throw new Error(message);
    },
    { concurrency: 1 },
  );
  const from = { device: "d", expire: () => undefined };
  expect(() => enqueue("one", from)).toThrow("one");
  const waited = enqueue("wait", from);
  const queued = enqueue("two", from);
  openGate();
  await waited;
  await expect(queued).rejects.toThrow("two");
  expect(() => enqueue("three", from)).toThrow("three");
  expect(calls).toBe(4);

  const { begun, expired, put } = open({ timeoutMs: 1 });
  const hanging = put("a1");
  const next = put("a2");
  await expect(hanging).rejects.toThrow(new DroppedError("handler-timeout", "at most 1 ms"));
  expect(expired).toEqual(["a1"]);
  await expect(next).rejects.toThrow(new DroppedError("handler-timeout", "at most 1 ms"));
  expect(begun).toEqual(["a1", "a2"]);
});

test.each([
  [{ order: "any" as "none" }, "order: expected"],
  [{ concurrency: 0 }, "concurrency: expected an integer from 1 to 4096, got 0"],
  [{ waiting: 8193 }, "waiting: expected an integer from 0 to 8192, got 8193"],
  [{ timeoutMs: Number.NaN }, "timeoutMs: expected"],
])("handler queue: %j is refused", (limits, message) => {
  expect(() => open(limits)).toThrow(message);
});
