import { expect, test } from "vitest";
import { ToolError } from "../engines/engine.ts";
import type { PlacedCall } from "./call-records.ts";
import { combineTools, type ToolSource } from "./turn-tools.ts";

function createSource(of: string, names: readonly string[], admit?: ToolSource["admit"]): ToolSource {
  const list = names.map((name) => ({ name, description: of, inputSchema: { type: "object" } }));
  return { list, ...(admit && { admit }), make: async ({ index, name }) => `${of} ${name} ${index}` };
}

test("turn tools: where two names are the same to a model, the device's tool is offered and called", async () => {
  let index = 0;
  const place = async (call: Pick<PlacedCall, "name" | "args">) => ({ ...call, index: (index += 1), isMade: false });
  const refuse = (name: string) => {
    if (name === "full") throw new ToolError("busy");
    return () => undefined;
  };
  const sources = [
    createSource("device", ["self.lamp", "radio"]),
    createSource("bus", ["self_lamp", "radio", "weather", "full"], refuse),
  ];
  const { list, call } = combineTools(sources, place);
  expect(list.map(({ name, description }) => `${description} ${name}`)).toEqual([
    "device self.lamp",
    "device radio",
    "bus weather",
    "bus full",
  ]);
  expect(await call("radio", {})).toBe("device radio 1");
  await expect(call("full", {})).rejects.toThrow("busy");
  expect(await call("weather", {})).toBe("bus weather 2");
  await expect(call("self_lamp", {})).rejects.toThrow('there is no tool "self_lamp"');
});
