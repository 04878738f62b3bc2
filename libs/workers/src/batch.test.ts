import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createBatch } from "./batch.ts";

interface Sent {
  readonly value: unknown;
  readonly moves: boolean;
  /** Tells what comes before the next message. */
  readonly next: "nothing" | "turn" | "flush";
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
const sent: fc.Arbitrary<Sent> = fc.record({
  value: fc.oneof(fc.string(), fc.integer(), bytes, fc.record({ kind: fc.constant("input"), bytes })),
  moves: fc.boolean(),
  next: fc.constantFrom("nothing", "nothing", "nothing", "turn", "flush"),
});

function buffersOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(buffersOf) : [];
}

test("batch: all messages arrive in order, as through a plain queue, and moved buffers are moved", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 30 }), async (messages) => {
      const { port1, port2 } = new MessageChannel();
      const plain = messages.map(({ value }) => structuredClone(value));
      const arrived: unknown[] = [];
      port2.on("message", (batch: readonly unknown[]) => arrived.push(...batch));
      const batch = createBatch<unknown>(
        (values, moved) => port1.postMessage(values, moved),
        () => expect.unreachable(),
      );
      for (const { value, moves, next } of messages) {
        batch.send(value, moves ? buffersOf(value) : undefined);
        if (next === "flush") batch.flush();
        if (next === "turn") await setImmediate();
      }
      await setImmediate();
      port1.close();
      await once(port2, "close");
      expect(arrived).toEqual(plain);
      const left = messages.flatMap(({ value, moves }) => buffersOf(value).map((buffer) => [moves, buffer.byteLength]));
      for (const [moves, length] of left) expect(length === 0).toBe(moves);
    }),
    { numRuns: 50 },
  );
});

test("batch: the messages of one event-loop turn cross together", async () => {
  const posts: (readonly number[])[] = [];
  const batch = createBatch<number>(
    (values) => posts.push(values),
    () => undefined,
  );
  batch.send(1);
  await Promise.resolve();
  batch.send(2);
  await setImmediate();
  batch.send(3);
  batch.flush();
  batch.send(4);
  await setImmediate();
  await setImmediate();
  expect(posts).toEqual([[1, 2], [3], [4]]);
});

test("batch: a message that cannot be copied is refused alone, and moves nothing", async () => {
  const { port1, port2 } = new MessageChannel();
  const refused: unknown[] = [];
  const batch = createBatch<unknown>(
    (values, moved) => port1.postMessage(values, moved),
    (message, error) => refused.push([message, (error as Error).name]),
  );
  const body = new Uint8Array([1, 2]);
  const bad = { run: () => undefined };
  batch.send("before");
  batch.send(bad);
  batch.send(body, [body.buffer]);
  const arrived: unknown[] = [];
  port2.on("message", (values: readonly unknown[]) => arrived.push(...values));
  await setImmediate();
  port1.close();
  await once(port2, "close");
  expect(arrived).toEqual(["before", new Uint8Array([1, 2])]);
  expect(refused).toEqual([[bad, "DataCloneError"]]);
});
