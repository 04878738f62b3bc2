import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

// A server of the Model Context Protocol with notes that can be read, not written.
const server = new McpServer({ name: "notes", version: "1.0.0" });
const text = (value) => ({ content: [{ type: "text", text: value }] });
server.registerTool("read", { description: "Reads a note.", inputSchema: { name: z.string() } }, ({ name }) =>
  text(`Note ${name}: buy milk.`),
);
server.registerTool("write", { description: "Writes a note." }, () => ({
  ...text("the notes are read-only"),
  isError: true,
}));
await server.connect(new StdioServerTransport());
