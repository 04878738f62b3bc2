import { expect, test } from "vitest";
import { createTurnQueue, SupersededError } from "./turn-queue.ts";

function createGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}
const turn = (origin: number, session = "s", device = "d") => ({ device, session, origin });

test("queue: a device's turns run one after the other, other devices do not wait", async () => {
  const queue = createTurnQueue();
  const done: string[] = [];
  const first = createGate();
  const run = (origin: number, device: string, until?: Promise<void>) =>
    queue.run(turn(origin, "s", device), async (onStart) => {
      onStart();
      await until;
      done.push(`${device}${origin}`);
    });
  const [a1, a2, b1] = [run(1, "a", first.opened), run(2, "a"), run(1, "b")];
  await b1;
  expect(done).toEqual(["b1"]);
  first.open();
  await Promise.all([a1, a2]);
  expect(done).toEqual(["b1", "a1", "a2"]);
});

test("queue: a newer turn of the session supersedes one without an answer, but not one whose answer has started", async () => {
  const queue = createTurnQueue();
  const gate = createGate();
  const signals = new Map<string, AbortSignal>();
  const run = (origin: number, starts: boolean, session = "s") =>
    queue.run(turn(origin, session), async (onStart, signal) => {
      signals.set(`${session}${origin}`, signal);
      if (starts) onStart();
      await gate.opened;
    });
  const all = [run(1, true)];
  await expect.poll(() => signals.size).toBe(1);
  all.push(run(3, false), run(2, false), run(4, true), run(1, true, "other"));
  gate.open();
  await Promise.all(all);
  const left = [...signals].filter(([, signal]) => signal.reason instanceof SupersededError).map(([name]) => name);
  expect(left.sort()).toEqual(["s2", "s3"]);
});

test("queue: a turn that fails does not stop the next one", async () => {
  const queue = createTurnQueue();
  const failing = queue.run(turn(1), () => Promise.reject(new Error("no")));
  const next = queue.run(turn(2, "other"), () => Promise.resolve("yes"));
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("yes");
});
