import type { Bus, ServiceInfo } from "@voxbus/bus";
import { channels, type ToolChange } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { startSubscriber, ToolError, z, type Context, type Running, type ToolCallInfo } from "./index.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
const running: Running[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("quick");
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

async function start(
  setup: (context: Context) => void,
  options: { readonly name?: string; readonly prefix?: string } = {},
) {
  const { name = "weather", prefix = "" } = options;
  const program = await startSubscriber({ name, version: "1.2.0" }, setup, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_NATS_PREFIX: prefix,
    VOXBUS_LOG_LEVEL: "fatal",
  });
  running.push(program);
  return program;
}

/** Collects what is found when services are asked for. */
function discover(from: Bus = bus) {
  const found: ServiceInfo[] = [];
  const discovery = from.discover((service) => found.push(service));
  onTestFinished(() => discovery.close());
  discovery.ask();
  return { found, ask: () => discovery.ask() };
}

const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";
let calls = 0;
const call = (args: Record<string, unknown> = {}, id = `${session}:7:${(calls += 1)}`) => ({
  id,
  device: "kitchen",
  session,
  origin: 7,
  args,
  language: "en",
  timeZone: "Europe/Rome",
  deadline: 1_760_000_010_000,
});
const ask = (args?: Record<string, unknown>, name = "weather") =>
  bus.request(channels.tool(name), call(args)).then(({ text }) => text);

const schema = z.object({ city: z.string().min(1) });
const description = "Tells the weather.";

test("tool: it is found with its description, and answers a call", async () => {
  const seen: ToolCallInfo[] = [];
  await start(({ tool }) => {
    tool(
      { name: "weather", description, schema, timeoutMs: 5000, scope: ["hall", "lab"], finishes: true },
      (args, info) => {
        seen.push(info);
        return `sun in ${args.city}`;
      },
    );
  });
  const { found } = discover();
  await vi.waitFor(() => expect(found).toHaveLength(1));
  expect(found[0]).toMatchObject({ name: "weather", version: "1.2.0" });
  expect(found[0]?.endpoints).toEqual([
    {
      name: "weather",
      subject: "tool.weather",
      queue_group: "q",
      metadata: {
        voxbus: "tool",
        description,
        schema: expect.any(String) as string,
        timeoutMs: "5000",
        scope: "hall,lab",
        finishes: "true",
      },
    },
  ]);
  expect(JSON.parse(found[0]?.endpoints?.[0]?.metadata?.["schema"] ?? "")).toEqual({
    type: "object",
    properties: { city: { type: "string", minLength: 1 } },
    required: ["city"],
  });
  expect(await ask({ city: "Rome" })).toBe("sun in Rome");
  expect(seen).toMatchObject([{ device: "kitchen", session, origin: 7, language: "en", timeZone: "Europe/Rome" }]);
});

test.each([
  ["a text", "on", "on"],
  ["nothing", undefined, "done"],
  ["an object", { on: true }, '{"on":true}'],
  ["a number", 5, "5"],
  ["a text that is too long", "x".repeat(20_000), `${"x".repeat(16_384)} … (3616 more characters were left out)`],
])("tool: %s is the result", async (_, given, text) => {
  await start(({ tool }) => void tool({ name: "weather", description }, () => given));
  expect(await ask()).toBe(text);
});

test("tool: it refuses bad arguments with their names, and tells its own failure but no other error", async () => {
  await start(({ tool }) => {
    tool({ name: "weather", description, schema }, ({ city }) => {
      if (city === "Atlantis") throw new ToolError("there is no city\nAtlantis");
      throw new Error(`a secret of ${city}`);
    });
  });
  await expect(ask({ city: 5 })).rejects.toThrow(/bad arguments: .*string.*city/);
  await expect(ask({ city: "Atlantis" })).rejects.toMatchObject({ reason: "there is no city Atlantis", code: 422 });
  await expect(ask({ city: "Rome" })).rejects.toMatchObject({ reason: "handler-failed", code: 500 });
});

test("tool: a cancelled call is aborted and refused, one of a tool that finishes goes on", async () => {
  const aborted: string[] = [];
  const begun: string[] = [];
  let finish = (): void => undefined;
  await start(({ tool }) => {
    tool({ name: "weather", description }, (_, { id, signal }) => {
      begun.push(id);
      signal.addEventListener("abort", () => aborted.push(id));
      return new Promise(() => undefined);
    });
    tool({ name: "order", description, finishes: true, timeoutMs: 20 }, (_, { id, signal }) => {
      begun.push(id);
      signal.addEventListener("abort", () => aborted.push(id));
      return new Promise((resolve) => (finish = () => resolve("ordered")));
    });
  });
  const [weather, order] = [call(), call()];
  const first = bus.request(channels.tool("weather"), weather);
  const second = bus.request(channels.tool("order"), order);
  await vi.waitFor(() => expect(begun).toEqual([weather.id, order.id]));
  bus.publish(channels.toolCancel("weather"), { id: weather.id });
  bus.publish(channels.toolCancel("order"), { id: order.id });
  await expect(first).rejects.toThrow("the call was cancelled");
  finish();
  expect((await second).text).toBe("ordered");
  expect(aborted).toEqual([weather.id]);
});

test("tool: a call that takes too long is aborted and refused", async () => {
  await start(({ tool }) => {
    tool({ name: "weather", description, timeoutMs: 50 }, () => new Promise(() => undefined));
  });
  await expect(ask()).rejects.toThrow('the tool "weather" took more than 50 ms');
});

test("tool: the same call again gets the result of the first, and the 65th at once is refused", async () => {
  let begun = 0;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  await start(({ tool }) => {
    tool({ name: "weather", description }, async () => {
      begun += 1;
      await done;
      return "once";
    });
  });
  const first = call();
  const answers = [first, first, ...Array.from({ length: 63 }, () => call())].map((one) =>
    bus.request(channels.tool("weather"), one),
  );
  await vi.waitFor(() => expect(begun).toBe(64));
  await expect(ask()).rejects.toMatchObject({ reason: "busy", code: 503 });
  finish();
  expect((await Promise.all(answers)).every(({ text }) => text === "once")).toBe(true);
  expect(begun).toBe(64);
});

test("tool: of two instances one gets each call", async () => {
  const got: number[] = [];
  for (const at of [1, 2]) await start(({ tool }) => void tool({ name: "weather", description }, () => got.push(at)));
  await Promise.all(Array.from({ length: 40 }, () => ask()));
  expect(got).toHaveLength(40);
  expect(new Set(got).size).toBe(2);
});

test("tool: its begin and its end are told, and it is found no more", async () => {
  const changes: ToolChange[] = [];
  const watching = bus.subscribe(channels.toolChange("weather"), (change) => changes.push(change));
  onTestFinished(() => watching.close());
  const program = await start(({ tool }) => void tool({ name: "weather", description }, () => "sun"));
  await vi.waitFor(() => expect(changes).toMatchObject([{ available: true }]));
  const { found, ask: askAgain } = discover();
  await vi.waitFor(() => expect(found[0]?.id).toBe(changes[0]?.instance));
  await program.stop("quick");
  await vi.waitFor(() => expect(changes[1]).toEqual({ instance: found[0]?.id, available: false }));
  await expect(ask()).rejects.toMatchObject({ name: "NoResponderError" });
  askAgain();
  await bus.flush();
  expect(found).toHaveLength(1);
});

test("tool: a program whose connection is gone is told from one that is only busy", async () => {
  const gone: string[] = [];
  const found: ServiceInfo[] = [];
  const discovery = bus.discover(
    (service) => found.push(service),
    (id) => gone.push(id),
  );
  onTestFinished(() => discovery.close());
  const [one, two] = await Promise.all(
    ["one", "two"].map((name) =>
      start(({ tool }) => void tool({ name: "weather", description }, () => "sun"), { name }),
    ),
  );
  discovery.ask();
  await vi.waitFor(() => expect(found).toHaveLength(2));
  const [id, other] = ["one", "two"].map((name) => found.find((service) => service.name === name)?.id ?? "");
  await one?.stop("quick");
  discovery.check({ name: "one", id: id ?? "" });
  discovery.check({ name: "two", id: other ?? "" });
  discovery.check({ name: "*", id: ">" });
  await vi.waitFor(() => expect(gone).toEqual([id]));
  await two?.stop("quick");
  discovery.check({ name: "two", id: other ?? "" });
  await vi.waitFor(() => expect(gone).toEqual([id, other]));
});

test("tool: a stop lets a call finish", async () => {
  let finish = (): void => undefined;
  let begun = false;
  const program = await start(({ tool }) => {
    tool({ name: "weather", description }, () => {
      begun = true;
      return new Promise((resolve) => (finish = () => resolve("late sun")));
    });
  });
  const asked = ask();
  await vi.waitFor(() => expect(begun).toBe(true));
  const changes: ToolChange[] = [];
  const watching = bus.subscribe(channels.toolChange("weather"), (change) => changes.push(change));
  onTestFinished(() => watching.close());
  await bus.flush();
  const stopped = program.stop("drain");
  await vi.waitFor(() => expect(changes).toMatchObject([{ available: false }]));
  await expect(ask()).rejects.toMatchObject({ name: "NoResponderError" });
  finish();
  expect(await asked).toBe("late sun");
  await stopped;
});

test("tool: systems with different prefixes do not see each other's tools", async () => {
  const other = await connectTestBus(nats.url, { config: { VOXBUS_NATS_PREFIX: "staging" } });
  onTestFinished(() => other.close());
  await start(({ tool }) => void tool({ name: "weather", description }, () => "ours"));
  await start(({ tool }) => void tool({ name: "weather", description }, () => "theirs"), { prefix: "staging" });
  const [ours, theirs] = [discover(), discover(other)];
  const subjects = (found: readonly ServiceInfo[]) =>
    found.flatMap(({ endpoints }) => endpoints?.map(({ subject }) => subject) ?? []);
  await vi.waitFor(() => expect([ours.found.length, theirs.found.length]).toEqual([1, 1]));
  expect(subjects(ours.found)).toEqual(["tool.weather"]);
  expect(subjects(theirs.found)).toEqual(["tool.weather"]);
  expect(await ask()).toBe("ours");
  expect((await other.request(channels.tool("weather"), call())).text).toBe("theirs");
});

test("tool: a request that is no call is refused by the name of the field", async () => {
  await start(({ tool }) => void tool({ name: "weather", description }, () => "x"));
  await expect(bus.request(channels.tool("weather"), { ...call(), id: "" })).rejects.toThrow(/bad-envelope: id/);
});

test("tool: more tools than one description holds are refused, those before it stay", async () => {
  const schema = { type: "object", title: "x".repeat(16_000) };
  let refusal: unknown;
  await start(({ tool }) => {
    try {
      for (let at = 0; at < 100; at += 1) tool({ name: `weather-${at}`, description, schema }, () => "sun");
    } catch (error) {
      refusal = error;
    }
  });
  expect(String(refusal)).toMatch(/too many endpoints: with weather-\d+ over 900000 bytes/);
  const { found } = discover();
  await vi.waitFor(() => expect(found).toHaveLength(1));
  expect(await ask({}, "weather-0")).toBe("sun");
});
