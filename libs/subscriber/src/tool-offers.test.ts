import { channels } from "@voxbus/protocol";
import { expect, test } from "vitest";
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
