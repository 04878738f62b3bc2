import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSubscriber, z, type JsonSchema, type ToolOptions } from "./index.ts";

let nats: NatsServer;
beforeAll(async () => {
  nats = await startNatsServer();
});
afterAll(() => nats?.stop());

test.each([
  ["a name that widens a subject", { name: "a.b" }, /^the tool's name must be 1 to 64 characters/],
  ["an empty description", { description: "" }, /description/],
  ["a description that is too long", { description: "x".repeat(5000) }, /description: .*4096/],
  ["a schema that is too large", { schema: { type: "object", title: "x".repeat(17_000) } }, /schema: .*16,384 bytes/],
  [
    "a schema that JSON Schema cannot express",
    { schema: z.object({ d: z.date() }) },
    /^the tool weather: schema: Date cannot be represented in JSON Schema/,
  ],
  ["a schema that is no JSON", { schema: { type: "object", const: 5n } }, /^the tool weather: schema: .*BigInt/],
  ["a schema of no object", { schema: z.string() }, /schema: expected JSON Schema of the type "object"/],
  [
    "a schema with an unknown type",
    { schema: { type: "object", properties: { a: { type: "strng" } } } },
    /schema: schema\/properties\/a\/type: expected one of array, /,
  ],
  ["a time that is too long", { timeoutMs: 500_000 }, /timeoutMs: .*120000/],
  ["a scope of no group", { scope: ["a b"] }, /scope/],
] as [string, Partial<ToolOptions<z.ZodType | JsonSchema>>, RegExp][])(
  "tool: %s is refused at the start",
  async (_, options, message) => {
    const given: ToolOptions<z.ZodType | JsonSchema> = { name: "weather", description: "Tells it.", ...options };
    const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal" };
    const offer = startSubscriber({ name: "weather" }, ({ tool }) => void tool(given, () => "x"), env);
    await expect(offer).rejects.toMatchObject({ name: "RangeError", message: expect.stringMatching(message) });
  },
);
