import type { Bus } from "@voxbus/bus";
import { buckets, channels, type ToolCancel } from "@voxbus/protocol";
import { ToolError, z } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { UnfinishedCallError } from "./call-error.ts";
import { description, never, offerRaw, openTools, startTools } from "./test-tools.ts";

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

test("bus tools: a call has the turn's device and language, and its text", async () => {
  const calls: unknown[] = [];
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "weather", description, schema: z.object({ city: z.string() }) }, ({ city }, call) => {
      calls.push({ ...call, signal: undefined });
      return `sun in ${city}`;
    });
  });
  const { toolsOf, runs } = await openTools(bus, ["weather"]);
  const { turn, list, call } = toolsOf();
  expect(list).toMatchObject([{ name: "weather", description }]);
  expect(await call("weather", { city: "Rome" })).toBe("sun in Rome");
  const { session } = turn;
  expect(calls).toMatchObject([
    { id: `${session}:7:1`, device: "kitchen", session, origin: 7, language: "en", timeZone: "Europe/Rome" },
  ]);
  expect(runs).toEqual([{ tool: "weather", outcome: "done", ms: expect.any(Number) as number }]);
});

test("bus tools: a second attempt at a turn gets the result, also that of a failure, and makes no call again", async () => {
  let count = 0;
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "count", description }, () => (count += 1));
    tool({ name: "fail", description }, () => {
      count += 1;
      throw new ToolError("there is no lamp");
    });
  });
  const { toolsOf } = await openTools(bus, ["count", "fail"]);
  const one = toolsOf();
  expect(await one.call("count", { a: 1 })).toBe("1");
  await expect(one.call("fail", {})).rejects.toThrow("the tool refused: there is no lamp");
  const two = toolsOf(one.turn);
  expect(await two.call("count", { a: 1 })).toBe("1");
  expect(await two.call("fail", {})).toBe("Error: the tool refused: there is no lamp");
  expect(await two.call("count", { a: 1 })).toBe("3");
  expect(count).toBe(3);
});

test("bus tools: calls at once have their own places and results", async () => {
  await startTools(nats.url, ({ tool }) => void tool({ name: "echo", description }, (args) => args));
  const { toolsOf } = await openTools(bus, ["echo"]);
  const { turn, call } = toolsOf();
  expect(await Promise.all([1, 2, 3].map((n) => call("echo", { n })))).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
  const stored = await Promise.all([1, 2, 3].map((k) => bus.bucket(buckets.toolCalls).get(`${turn.session}.7.${k}`)));
  expect(stored.map((entry) => entry?.value)).toEqual(
    [1, 2, 3].map((n) => ({ name: "echo", args: `{"n":${n}}`, text: `{"n":${n}}` })),
  );
});

test("bus tools: arguments that do not fit are told to the model, and take no place in the turn", async () => {
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "weather", description, schema: z.object({ city: z.string() }) }, ({ city }) => city);
  });
  const { toolsOf, outcomes } = await openTools(bus, ["weather"]);
  const { turn, call } = toolsOf();
  await expect(call("weather", { town: "Rome" })).rejects.toThrow(
    "the arguments do not fit: they must have required property 'city'",
  );
  expect(await call("weather", { city: "Rome" })).toBe("Rome");
  expect((await bus.bucket(buckets.toolCalls).get(`${turn.session}.7.1`))?.value?.text).toBe("Rome");
  expect(outcomes()).toEqual(["bad-arguments", "done"]);
});

test("bus tools: a long result is cut with a note, one without words is done", async () => {
  const texts = ["x".repeat(20_000), " "];
  await offerRaw(nats.url, () => ({ text: texts.shift() ?? "" }));
  const { toolsOf } = await openTools(bus, ["raw"]);
  const { call } = toolsOf();
  expect(await call("raw", {})).toBe(`${"x".repeat(16_384)} … (3616 more characters were left out)`);
  expect(await call("raw", {})).toBe("done");
});

test("bus tools: the end of a turn cancels a call, and the cancel reaches the tool", async () => {
  const aborted: string[] = [];
  let begun = false;
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "slow", description }, (_, { id, signal }) => {
      begun = true;
      signal.addEventListener("abort", () => aborted.push(id));
      return never;
    });
  });
  const { toolsOf, outcomes } = await openTools(bus, ["slow"]);
  const { turn, call } = toolsOf();
  const fence = new AbortController();
  const called = call("slow", {}, fence.signal);
  await vi.waitFor(() => expect(begun).toBe(true));
  fence.abort(new Error("fenced"));
  await expect(called).rejects.toThrow("the turn has ended");
  await vi.waitFor(() => expect(aborted).toEqual([`${turn.session}:7:1`]));
  expect(outcomes()).toEqual(["cancelled"]);
});

test("bus tools: an action that finishes goes on after the turn, uncancelled, and its result is known later", async () => {
  let finish = (): void => undefined;
  const cancels: ToolCancel[] = [];
  const watching = bus.subscribe(channels.toolCancel("order"), (cancel) => cancels.push(cancel));
  onTestFinished(() => watching.close());
  await startTools(nats.url, ({ tool }) => {
    const order = () => new Promise((resolve) => (finish = () => resolve("ordered")));
    tool({ name: "order", description, finishes: true }, order);
  });
  const { toolsOf, outcomes } = await openTools(bus, ["order"]);
  const { turn, call } = toolsOf();
  const fence = new AbortController();
  const called = call("order", {}, fence.signal).catch((error: unknown) => error);
  await vi.waitFor(async () =>
    expect((await bus.bucket(buckets.toolCalls).get(`${turn.session}.7.1`))?.value).toBeDefined(),
  );
  fence.abort(new Error("fenced"));
  const error = await called;
  expect(error).toBeInstanceOf(UnfinishedCallError);
  await vi.waitFor(() => {
    finish();
    expect(outcomes()).toEqual(["done"]);
  });
  expect(await (error as UnfinishedCallError).rest).toBe("ordered");
  expect(cancels).toEqual([]);
  expect(await toolsOf(turn).call("order", {})).toBe("ordered");
});

test("bus tools: a turn that ends before a call is sent sends none, also none that finishes", async () => {
  let count = 0;
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "order", description, finishes: true }, () => (count += 1));
  });
  const { toolsOf, outcomes } = await openTools(bus, ["order"]);
  const { turn, call } = toolsOf();
  const fence = new AbortController();
  // The call is being stored.
  const called = call("order", {}, fence.signal);
  fence.abort(new Error("fenced"));
  await expect(called).rejects.toThrow("the turn has ended");
  expect(outcomes()).toEqual(["cancelled"]);
  expect(await toolsOf(turn).call("order", {})).toBe("1");
});

test("bus tools: a system with a prefix has its own tools", async () => {
  const staging = await connectTestBus(nats.url, { config: { VOXBUS_NATS_PREFIX: "staging" } });
  onTestFinished(() => staging.close());
  await startTools(nats.url, ({ tool }) => void tool({ name: "where", description }, () => "production"));
  await startTools(
    nats.url,
    ({ tool }) => {
      tool({ name: "where", description }, () => "staging");
      tool({ name: "more", description }, () => "staging");
    },
    "staging",
  );
  const [ours, theirs] = await Promise.all([openTools(bus, ["where"]), openTools(staging, ["where", "more"])]);
  expect([[...ours.directory.toolNames()].length, [...theirs.directory.toolNames()].length]).toEqual([1, 2]);
  expect(await ours.toolsOf().call("where", {})).toBe("production");
  expect(await theirs.toolsOf().call("where", {})).toBe("staging");
});
