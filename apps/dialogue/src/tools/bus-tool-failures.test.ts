import type { Bus } from "@voxbus/bus";
import { buckets, channels, type ToolCancel } from "@voxbus/protocol";
import { z } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
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

test("bus tools: a call whose worker is gone is not made again, and the model learns that", async () => {
  let count = 0;
  await startTools(nats.url, ({ tool }) => void tool({ name: "count", description }, () => (count += 1)));
  const { toolsOf } = await openTools(bus, ["count"]);
  const { turn, call } = toolsOf();
  await bus.bucket(buckets.toolCalls).put(`${turn.session}.7.1`, { name: "count", args: "{}" });
  await expect(call("count", {})).rejects.toThrow("the call was made before, and its result was lost");
  expect(count).toBe(0);
});

test.each([
  ["is no text", () => ({ text: 5 }), 'the answer of the tool "raw" is not valid', "bad-answer"],
  ["is too large", () => ({ text: "x".repeat(70_000) }), 'the answer of the tool "raw" is not valid', "bad-answer"],
  ["has a newer version", () => ({ v: 2, text: "x" }), 'the answer of the tool "raw" is not valid', "bad-answer"],
  ["never comes", () => never, 'the tool "raw" did not answer within 300 ms', "late"],
  ["is an error", () => Promise.reject(new Error("a secret")), 'the tool "raw" failed', "failed"],
])("bus tools: an answer that %s is an error", async (_, answer, message, outcome) => {
  await offerRaw(nats.url, answer);
  const { toolsOf, outcomes } = await openTools(bus, ["raw"]);
  const { turn, call } = toolsOf();
  await expect(call("raw", {})).rejects.toThrow(message);
  expect(outcomes()).toEqual([outcome]);
  expect((await bus.bucket(buckets.toolCalls).get(`${turn.session}.7.1`))?.value?.text).toBe(`Error: ${message}`);
});

test("bus tools: a tool that hangs and ignores the cancel is left at its deadline, and its late answer ignored", async () => {
  let answer: (given: object) => void = () => undefined;
  const cancels: ToolCancel[] = [];
  const watching = bus.subscribe(channels.toolCancel("raw"), (cancel) => cancels.push(cancel));
  onTestFinished(() => watching.close());
  await offerRaw(nats.url, () => new Promise((resolve) => (answer = resolve)));
  const { toolsOf, outcomes } = await openTools(bus, ["raw"]);
  const { turn, call } = toolsOf();
  await expect(call("raw", {})).rejects.toThrow("did not answer within 300 ms");
  await vi.waitFor(() => expect(cancels).toEqual([{ id: `${turn.session}:7:1` }]));
  answer({ text: "late" });
  answer = () => undefined;
  await bus.flush();
  expect(outcomes()).toEqual(["late"]);
});

/** Starts a program with the tool `dies`, which never answers. */
async function startDying(version: string, onCall: () => void) {
  const program = await connectTestBus(nats.url);
  onTestFinished(() => program.close());
  const metadata = { voxbus: "tool", description: version, schema: '{"type":"object"}', timeoutMs: "60000" };
  program.serve({ name: "dies", version }).endpoint(channels.tool("dies"), { name: "dies", metadata }, async () => {
    onCall();
    return never;
  });
  await program.flush();
  return program;
}

test.each([
  ["dies in mid-call", false],
  ["dies in mid-call and is started again", true],
])("bus tools: a program that %s ends the call long before its deadline", async (_, isStarted) => {
  let begunAt = Infinity;
  const program = await startDying("1.0.0", () => (begunAt = performance.now()));
  // Only the test of a running call can notice the death.
  const { directory, toolsOf, outcomes } = await openTools(bus, ["dies"], { everyMs: 60_000, timeoutMs: 60_000 });
  const called = toolsOf().call("dies", {});
  called.catch(() => undefined);
  // One that is found sooner may have been there when the call began.
  await vi.waitFor(() => expect(performance.now() - begunAt).toBeGreaterThan(600), { timeout: 10_000 });
  if (isStarted) {
    await startDying("1.0.1", () => undefined);
    bus.publish(channels.toolChange("dies"), { instance: "new", available: true });
    await vi.waitFor(() => expect(directory.find("dies")?.description).toBe("1.0.1"), { timeout: 10_000 });
  }
  await program.close();
  await expect(called).rejects.toThrow(/the program of the tool "dies" has ended/);
  expect(outcomes()).toEqual(["lost"]);
  expect([...directory.toolNames()]).toEqual(isStarted ? ["dies"] : []);
});

test("bus tools: a program that starts, changes its tools or stops is noticed without a question in between", async () => {
  const { directory } = await openTools(bus, [], { everyMs: 60_000 });
  let change = (): void => undefined;
  const program = await startTools(nats.url, ({ tool }) => {
    const first = tool({ name: "first", description }, () => "1");
    change = () => {
      first.close();
      tool({ name: "second", description }, () => "2");
    };
  });
  const names = () => directory.offeredTo({}).map(({ name }) => name);
  await vi.waitFor(() => expect(names()).toEqual(["first"]));
  change();
  await vi.waitFor(() => expect(names()).toEqual(["second"]));
  await program.stop("quick");
  await vi.waitFor(() => expect(names()).toEqual([]));
});

test("bus tools: a tool whose program ended between the offer and the call is told, and leaves the list", async () => {
  const program = await startTools(nats.url, ({ tool }) => void tool({ name: "gone", description }, () => "here"));
  const { directory, toolsOf, outcomes } = await openTools(bus, ["gone"]);
  const { call } = toolsOf();
  directory.close();
  await program.stop("quick");
  await expect(call("gone", {})).rejects.toThrow('no program offers the tool "gone" now');
  expect(outcomes()).toEqual(["unanswered"]);
  expect(directory.find("gone")).toBeUndefined();
});

test("bus tools: a tool that comes back in a new version between the offer and the call is checked by the new one", async () => {
  const first = await startTools(nats.url, ({ tool }) => {
    tool({ name: "weather", description, schema: z.object({ town: z.string() }) }, ({ town }) => town);
  });
  const { directory, toolsOf } = await openTools(bus, ["weather"]);
  const { call } = toolsOf();
  await first.stop("quick");
  await vi.waitFor(() => expect(directory.find("weather")).toBeUndefined());
  await startTools(nats.url, ({ tool }) => {
    tool({ name: "weather", description: "New.", schema: z.object({ city: z.string() }) }, ({ city }) => city);
  });
  await vi.waitFor(() => expect(directory.find("weather")?.description).toBe("New."));
  await expect(call("weather", { town: "Rome" })).rejects.toThrow("must have required property 'city'");
  expect(await call("weather", { city: "Rome" })).toBe("Rome");
});

test("bus tools: a tool that comes back for other groups between the offer and the call is not called", async () => {
  let count = 0;
  const offer = (scope: readonly string[] | undefined) =>
    startTools(nats.url, ({ tool }) => {
      tool({ name: "door", description, ...(scope && { scope }) }, () => (count += 1));
    });
  const first = await offer(undefined);
  const { directory, toolsOf, outcomes } = await openTools(bus, ["door"]);
  const { call } = toolsOf();
  await first.stop("quick");
  await offer(["staff"]);
  await vi.waitFor(() => expect(directory.find("door")?.scope).toEqual(["staff"]), { timeout: 10_000 });
  await expect(call("door", {})).rejects.toThrow('no program offers the tool "door" now');
  expect(outcomes()).toEqual(["unanswered"]);
  expect(count).toBe(0);
});

test("bus tools: a tool that a second program offers since the turn began is not called", async () => {
  let calls = 0;
  await startTools(nats.url, ({ tool }) => void tool({ name: "raw", description }, () => (calls += 1)));
  const { directory, toolsOf, outcomes } = await openTools(bus, ["raw"]);
  const { call } = toolsOf();
  await offerRaw(nats.url, () => ({ v: 1, text: String((calls += 1)) }));
  await vi.waitFor(() => expect(directory.find("raw")).toBeUndefined());
  await expect(call("raw", {})).rejects.toThrow('no program offers the tool "raw" now');
  expect([calls, ...outcomes()]).toEqual([0, "unanswered"]);
});

test("bus tools: calls beyond the limit of a tool, or of all, are refused at once", async () => {
  let begun = 0;
  await startTools(nats.url, ({ tool }) => {
    for (const name of ["one", "two"])
      tool({ name, description }, () => {
        begun += 1;
        return never;
      });
  });
  const { toolsOf, outcomes } = await openTools(bus, ["one", "two"], { all: 4, timeoutMs: 400 });
  const { call } = toolsOf();
  const held = ["one", "one", "one", "two"].map((name) => call(name, { n: Math.random() }).catch(() => "late"));
  await vi.waitFor(() => expect(begun).toBe(4));
  await expect(call("one", {})).rejects.toThrow('the tool "one" is busy');
  await expect(call("two", {})).rejects.toThrow('the tool "two" is busy');
  await Promise.all(held);
  expect(outcomes()).toEqual(["busy", "busy", "late", "late", "late", "late"]);
});

test("bus tools: calls that begin at the same time do not get beyond a limit, and one program leaves room for others", async () => {
  const offer = (names: readonly string[], handler: () => unknown) =>
    startTools(nats.url, ({ tool }) => names.forEach((name) => tool({ name, description }, handler)));
  await offer(["s1", "s2", "s3", "s4"], () => never);
  const other = await connectTestBus(nats.url);
  onTestFinished(() => other.close());
  const metadata = { voxbus: "tool", description, schema: '{"type":"object"}' };
  const answer = async () => ({ text: "yes" });
  other
    .serve({ name: "other", version: "1.0.0" })
    .endpoint(channels.tool("quick"), { name: "quick", metadata }, answer);
  await other.flush();
  const { toolsOf } = await openTools(bus, ["s1", "s2", "s3", "s4", "quick"], {
    all: 100,
    perProgram: 8,
    timeoutMs: 1000,
  });
  const { call } = toolsOf();
  const results = ["s1", "s2", "s3", "s4"].flatMap((name) =>
    Array.from({ length: 10 }, () => call(name, {}).then(String, (error: Error) => error.message)),
  );
  await expect(call("quick", {})).resolves.toBe("yes");
  const messages = await Promise.all(results);
  expect(messages.filter((message) => message.endsWith("is busy"))).toHaveLength(32);
  expect(messages.filter((message) => message === 'the tool "s1" is busy')).toHaveLength(7);
});

test("bus tools: with NATS away a call is an error, and afterwards the tools are back", async () => {
  const own = await startNatsServer();
  onTestFinished(() => own.stop());
  const on = await connectTestBus(own.url);
  onTestFinished(() => on.close());
  await startTools(own.url, ({ tool }) => void tool({ name: "here", description }, () => "yes"));
  const { directory, toolsOf } = await openTools(on, ["here"]);
  await own.restart();
  await vi.waitFor(() => expect(on.connected()).toBe(true), { timeout: 10_000 });
  await vi.waitFor(async () => expect(await toolsOf().call("here", {})).toBe("yes"), { timeout: 10_000 });
  expect([...directory.toolNames()]).toHaveLength(1);
});
