import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { connect as connectNats } from "@nats-io/transport-node";
import { channels, InControlFrame } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "../bus.ts";
import type { Claim, Claims, ClaimOptions } from "./claim-options.ts";
import { connectOwnBus } from "../test-bus.ts";

let server: NatsServer;
let bus: Bus;
const running: Claims[] = [];

const connect = (): Promise<Bus> => connectOwnBus(server.url);
const openListen = (device: string, seq = 1): Promise<unknown> =>
  bus.store(
    channels.inControlOpen(device),
    {
      session: "s1",
      seq,
      at: 0,
      kind: "control",
      body: { type: "listen", mode: "auto", gateway: "g1" },
    },
    { id: `${device}:${seq}` },
  );
const claim = async (
  device: string,
  work: (claim: Claim<InControlFrame>) => Promise<void>,
  given: { on?: Bus } & Partial<ClaimOptions<typeof InControlFrame>> = {},
): Promise<Claims> => {
  const { on = bus, ...options } = given;
  const claims = await on.claim({
    channel: channels.inControlOpen(device),
    durable: `test-${device}`,
    slots: 1,
    work,
    ...options,
  });
  running.push(claims);
  return claims;
};
const untilAborted = ({ signal }: Claim<unknown>): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

/** Starts a worker in a process of its own. It claims from `device` and never finishes. A line on its input drains it. */
function startWorker(device: string) {
  const script = `
    import { connectBus } from "@voxbus/bus";
    import { channels } from "@voxbus/protocol";
    const log = { info() {}, warn() {}, error() {} };
    const bus = await connectBus({ VOXBUS_NATS_URL: ${JSON.stringify(server.url)}, VOXBUS_NATS_REPLICAS: 1 }, log);
    const claims = await bus.claim({
      channel: channels.inControlOpen(${JSON.stringify(device)}), durable: "test-${device}", slots: 1,
      work: () => { console.log("claimed"); return new Promise(() => {}); },
    });
    process.stdin.once("data", async () => { await claims.drain(0); console.log("drained"); });
    console.log("ready");`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: new URL("../..", import.meta.url),
    stdio: ["pipe", "pipe", "inherit"],
  });
}

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await Promise.all(running.map((claims) => claims.drain(0)));
  await bus.close();
  await server.stop();
});

test.concurrent("claim: each job goes to one worker and is not delivered again once done", async () => {
  const other = await connect();
  const seen: number[] = [];
  const work = async ({ message, attempt }: Claim<InControlFrame>): Promise<void> => {
    expect(attempt).toBe(1);
    seen.push(message.seq);
  };
  await claim("each", work, { slots: 3 });
  await claim("each", work, { slots: 3, on: other });
  await Promise.all(Array.from({ length: 40 }, (_, n) => openListen("each", n + 1)));
  await vi.waitFor(() => expect(seen).toHaveLength(40));
  expect(new Set(seen).size).toBe(40);
  await other.close();
});

test.concurrent(
  "claim: a worker holds no more jobs than it has slots, and the rest wait for other workers",
  async () => {
    const other = await connect();
    const held: Claim<InControlFrame>[] = [];
    const hold = (one: Claim<InControlFrame>): Promise<void> => {
      held.push(one);
      return untilAborted(one);
    };
    const mine = await claim("slots", hold, { slots: 2 });
    await Promise.all([1, 2, 3, 4, 5].map((seq) => openListen("slots", seq)));
    await vi.waitFor(() => expect(mine.held()).toBe(2));
    const others = await claim("slots", hold, { slots: 10, on: other });
    await vi.waitFor(() => expect(others.held()).toBe(3));
    expect(mine.held()).toBe(2);
    expect(new Set(held.map(({ message }) => message.seq)).size).toBe(5);
    await others.drain(0);
    await other.close();
  },
);

test.concurrent("claim: work that runs longer than the acknowledgement's wait keeps its claim", async () => {
  const observer = await connectNats({ servers: server.url });
  const acks = observer.subscribe("$JS.ACK.>");
  const other = await connect();
  const attempts: number[] = [];
  let finish = (): void => undefined;
  const work = ({ attempt }: Claim<InControlFrame>): Promise<void> => {
    attempts.push(attempt);
    return new Promise((resolve) => (finish = resolve));
  };
  const [first, second] = [await claim("long", work), await claim("long", work, { on: other })];
  const held = (): number => first.held() + second.held();
  await openListen("long");
  // One signal per second: after the 4th the wait of 3 s would be over.
  let signals = 0;
  for await (const ack of acks) {
    if (ack.subject.includes(".voxbus_test-long.") && ack.string() === "+WPI") signals += 1;
    if (signals === 4) break;
  }
  expect(held()).toBe(1);
  finish();
  await vi.waitFor(() => expect(held()).toBe(0));
  expect(attempts).toEqual([1]);
  await observer.close();
  await other.close();
});

test.concurrent("claim: the jobs of a killed process go to another worker within 3.5 s", async () => {
  const child = startWorker("killed");
  try {
    const lines = createInterface({ input: child.stdout });
    expect(await once(lines, "line")).toEqual(["ready"]);
    const claimed = once(lines, "line");
    await openListen("killed");
    expect(await claimed).toEqual(["claimed"]);

    let take: (one: Claim<InControlFrame>) => void;
    const successor = new Promise<Claim<InControlFrame>>((resolve) => (take = resolve));
    await claim("killed", async (one) => take(one));
    const killedAt = performance.now();
    child.kill("SIGKILL");
    const { attempt, final } = await successor;
    expect(performance.now() - killedAt).toBeLessThan(3500);
    expect({ attempt, final }).toEqual({ attempt: 2, final: false });
  } finally {
    child.kill("SIGKILL");
  }
});

test.concurrent("claim: a worker that was paused does not take a job from its successor", async () => {
  const child = startWorker("paused");
  try {
    const lines = createInterface({ input: child.stdout });
    expect(await once(lines, "line")).toEqual(["ready"]);
    const claimed = once(lines, "line");
    await openListen("paused");
    expect(await claimed).toEqual(["claimed"]);
    const attempts: number[] = [];
    const hold = (one: Claim<InControlFrame>): Promise<void> => {
      attempts.push(one.attempt);
      return untilAborted(one);
    };
    await claim("paused", hold, { slots: 1 });
    child.kill("SIGSTOP");
    await vi.waitFor(() => expect(attempts).toEqual([2]), { timeout: 5000 });
    const other = await connect();
    const third = await claim("paused", hold, { slots: 5, on: other });
    child.kill("SIGCONT");
    const drained = once(lines, "line");
    child.stdin.write("drain\n");
    expect(await drained).toEqual(["drained"]);
    // A nakked job is delivered at once, before jobs that are stored after it.
    await openListen("paused", 2);
    await vi.waitFor(() => expect(attempts).toContain(1));
    expect(attempts).toEqual([2, 1]);
    await third.drain(0);
    await other.close();
  } finally {
    child.kill("SIGKILL");
  }
});

test.concurrent("claim: the 4th delivery is final, and then the message is dropped", async () => {
  const attempts: [number, boolean][] = [];
  await claim("poison", async ({ attempt, final }) => {
    attempts.push([attempt, final]);
    throw new Error("this message kills its workers");
  });
  await openListen("poison");
  await vi.waitFor(() => expect(attempts).toHaveLength(4), { timeout: 8000 });
  await openListen("poison", 2);
  await vi.waitFor(() => expect(attempts.at(-1)).toEqual([1, false]));
  expect(attempts.map(([, final]) => final)).toEqual([false, false, false, true, false]);
});

test.concurrent("claim: naks of draining workers do not make a claim final", async () => {
  const seen: [number, boolean][] = [];
  let took: () => void = () => undefined;
  const hold = (one: Claim<InControlFrame>): Promise<void> => {
    seen.push([one.attempt, one.final]);
    took();
    return untilAborted(one);
  };
  await openListen("rolling");
  for (let worker = 1; worker <= 5; worker += 1) {
    const taken = new Promise<void>((resolve) => (took = resolve));
    const claims = await claim("rolling", hold);
    await taken;
    await claims.drain(0);
  }
  expect(seen).toEqual([1, 2, 3, 4, 5].map((attempt) => [attempt, false]));
  // Failures still count, from where they were.
  await claim("rolling", async (one) => {
    seen.push([one.attempt, one.final]);
    throw new Error("this message fails");
  });
  await vi.waitFor(() => expect(seen.at(-1)).toEqual([9, true]), { timeout: 8000 });
  expect(seen.slice(5)).toEqual([
    [6, false],
    [7, false],
    [8, false],
    [9, true],
  ]);
});

test.concurrent("drain: a second call shortens the grace", async () => {
  const claims = await claim("hurried", untilAborted);
  await openListen("hurried");
  await vi.waitFor(() => expect(claims.held()).toBe(1));
  const slow = claims.drain(60_000);
  await claims.drain(0);
  await slow;
  expect(claims.held()).toBe(0);
});

test.concurrent("drain: work within the grace finishes, the rest is nakked at once", async () => {
  const other = await connect();
  let finish = (): void => undefined;
  const first = await claim(
    "drain",
    (one) => (one.message.seq === 1 ? new Promise((resolve) => (finish = resolve)) : untilAborted(one)),
    { slots: 2 },
  );
  await Promise.all([openListen("drain", 1), openListen("drain", 2)]);
  await vi.waitFor(() => expect(first.held()).toBe(2));
  let take: (one: Claim<InControlFrame>) => void;
  const handedOver = new Promise<Claim<InControlFrame>>((resolve) => (take = resolve));
  await claim("drain", async (one) => take(one), { on: other, slots: 5 });
  const draining = first.drain(200);
  finish();
  await draining;
  const drainedAt = performance.now();
  const { message, attempt } = await handedOver;
  expect(performance.now() - drainedAt).toBeLessThan(500);
  expect([message.seq, attempt]).toEqual([2, 2]);
  await other.close();
});
