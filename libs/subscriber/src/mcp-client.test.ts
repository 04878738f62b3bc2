import { expect, test } from "vitest";
import { createMcpClient } from "./mcp-client.ts";
import { useTestPrograms } from "./test-programs.ts";
import { ToolCallError } from "./tool-errors.ts";

const programs = useTestPrograms();

test("mcp client: a request that is longer than devices take fails at once", async () => {
  const { context } = await programs.open();
  const client = createMcpClient(context.bus, { timeoutMs: 60_000 });
  const params = { name: "self.screen.show", arguments: { text: "x".repeat(8192) } };
  const called = client.request({ device: "d1", session: "s1" }, { method: "tools/call", params });
  await expect(called).rejects.toThrow(ToolCallError);
});
