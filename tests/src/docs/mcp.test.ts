import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readBlocks, readName, readPage, readTable, root } from "./markdown.ts";

const directory = mkdtempSync(join(tmpdir(), "voxbus-docs-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Reads a file of servers as the program does. */
async function readServers(text: string) {
  const { readServersFile } = (await import(`${root}apps/mcp/dist/servers/servers-file.js`)) as {
    readonly readServersFile: (
      path: string,
      env: object,
    ) => {
      readonly servers: readonly { readonly name: string; readonly timeoutMs: number }[];
      readonly unknown: readonly string[];
    };
  };
  const path = join(directory, "mcp.json");
  writeFileSync(path, text);
  return readServersFile(path, { HOME_ASSISTANT_TOKEN: "a-token" });
}

describe("docs/mcp.md and docs/home-assistant.md", () => {
  it.each(["docs/mcp.md", "docs/home-assistant.md"])("examples: the program reads those of %s", async (page) => {
    const blocks = readBlocks(readPage(page), "json");
    expect(blocks.length).toBeGreaterThan(0);
    for (const { text } of blocks) {
      const { servers, unknown } = await readServers(text);
      expect(servers.length).toBeGreaterThan(0);
      expect(unknown).toEqual([]);
    }
  });

  it("fields: every field of a server is in the table, or in the row of another", async () => {
    const { serverFields } = (await import(`${root}apps/mcp/dist/servers/servers-file.js`)) as {
      readonly serverFields: Readonly<Record<string, readonly string[]>>;
    };
    const fields = Object.values(serverFields).flat();
    const rows = readTable(readPage("docs/mcp.md"), "table: server fields");
    const named = rows.flatMap((cells) => cells.join(" ").match(/`(\w+)`/g) ?? []).map(readName);
    expect(fields.filter((field) => !named.includes(field))).toEqual([]);
    expect(rows.map(([name = ""]) => readName(name)).filter((name) => !fields.includes(name))).toEqual([]);
  });

  it("timeoutMs: the default is as the table says, and ends a call before dialogue gives it up", async () => {
    const { servers } = await readServers('{"mcpServers": {"one": {"command": "x"}}}');
    const { timeoutMs = 0 } = servers[0] ?? {};
    const fields = readTable(readPage("docs/mcp.md"), "table: server fields");
    const row = fields.find(([name = ""]) => readName(name) === "timeoutMs");
    expect(row?.at(-1)).toContain(`default ${timeoutMs.toLocaleString("en")}`);
    const variables = readTable(readPage("docs/operations.md"), "variables: dialogue");
    const [, most = ""] = variables.find(([name = ""]) => readName(name) === "VOXBUS_DIALOGUE_TOOL_MS") ?? [];
    // mcp adds 2 s for the way over the bus.
    expect(timeoutMs + 2000).toBeLessThan(Number(readName(most)));
  });

  it("fleet tools: the table has those that an assistant is offered, and no other", async () => {
    const { fleetTools } = (await import(`${root}apps/mcp/dist/fleet/answer.js`)) as {
      readonly fleetTools: readonly string[];
    };
    const rows = readTable(readPage("docs/mcp.md"), "table: fleet tools").map(([name = ""]) => readName(name));
    expect(rows).toEqual(fleetTools);
  });
});
