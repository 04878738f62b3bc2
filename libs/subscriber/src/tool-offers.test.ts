import { channels, maxToolMs } from "@voxbus/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import { useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();
const description = "Tells the weather.";
let calls = 0;
const ask = async () => {
  const id = `s1:7:${(calls += 1)}`;
  const call = { id, device: "kitchen", session: "s1", origin: 7, args: {}, deadline: 1_760_000_010_000 };
  return (await programs.gateway.request(channels.tool("weather"), call)).text;
};

test("tool: a second one of the same name is refused while the first is offered", async () => {
  const { context } = await programs.open();
  const offer = (answer: string) => context.tool({ name: "weather", description }, () => answer);
  const first = offer("first");
  expect(() => offer("second")).toThrow(new RangeError("the tool weather is offered already"));
  await context.bus.flush();
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array(20).fill("first"));
  first.close();
  offer("third");
  first.close();
  expect(() => offer("fourth")).toThrow(RangeError);
  await context.bus.flush();
  expect(await ask()).toBe("third");
});

test("tool: one that finishes and never ends gives its places back after 120 s, and is not aborted", async () => {
  const late: (() => void)[] = [];
  const wait = setTimeout;
  const waiting = vi.spyOn(globalThis, "setTimeout").mockImplementation((run: () => void, ms?: number) => {
    if (ms === maxToolMs) late.push(run);
    return wait(run, ms);
  });
  onTestFinished(() => waiting.mockRestore());
  const signals: AbortSignal[] = [];
  const { context } = await programs.open();
  context.tool({ name: "weather", description, finishes: true }, (_, { signal }) => {
    signals.push(signal);
    return signals.length > 64 ? "sun" : new Promise(() => undefined);
  });
  await context.bus.flush();
  const stuck = Promise.allSettled(Array.from({ length: 64 }, ask));
  await vi.waitFor(() => expect(signals).toHaveLength(64));
  await expect(ask()).rejects.toMatchObject({ reason: "busy" });
  for (const end of late) end();
  const reason = { reason: 'the tool "weather" took more than 120000 ms', code: 422 };
  for (const one of await stuck) expect(one).toMatchObject({ status: "rejected", reason });
  expect(signals.some(({ aborted }) => aborted)).toBe(false);
  expect(await ask()).toBe("sun");
});
