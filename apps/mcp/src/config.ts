import { ConfigError, flag, isLoopback, port } from "@voxbus/subscriber";
import { z } from "zod";
import { readServersFile } from "./servers/servers-file.ts";

function count(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most);
}

/** The environment variables of mcp. */
export const mcpConfig = {
  VOXBUS_MCP_FILE: z
    .string()
    .optional()
    .describe("JSON file with the MCP servers whose tools are offered to the devices; docs/mcp.md has its fields"),
  VOXBUS_MCP_START_MS: count(500, 600_000)
    .default(60_000)
    .describe("longest time until an MCP server is initialized, and until it has listed its tools, ms"),
  VOXBUS_MCP_REFRESH_MS: count(100, 3_600_000)
    .default(30_000)
    .describe("time between two looks at the tools of an MCP server, ms; one that does not answer is connected again"),
  VOXBUS_MCP_TOOLS: count(1, 256).default(64).describe("most tools of one MCP server; those after it are left out"),
  VOXBUS_MCP_CALLS: count(1, 64).default(8).describe("calls to one MCP server at the same time; beyond: refused"),
  VOXBUS_MCP_HOST: z.string().default("127.0.0.1").describe("address that the MCP server for assistants listens on"),
  VOXBUS_MCP_PORT: port
    .optional()
    .describe("port of the MCP server for assistants; 0: any free one; unset: assistants reach nothing"),
  VOXBUS_MCP_TOKEN: z
    .string()
    .min(16, "must have at least 16 characters")
    .optional()
    .describe("token that assistants must send (Authorization: Bearer …), at least 16 characters"),
  VOXBUS_MCP_TRANSCRIPTS: flag
    .default(false)
    .describe("1: assistants may read what users said and what they were answered"),
  VOXBUS_MCP_DEVICE_TOOLS: z
    .string()
    .default("self.get_device_status,self.audio_speaker.*,self.screen.*")
    .transform((value) => value.split(",").map((item) => item.trim()))
    .describe("comma-separated names of devices' tools that assistants may call; * stands for any characters"),
  VOXBUS_MCP_SESSIONS: count(1, 10_000)
    .default(64)
    .describe("assistants that are connected at the same time; beyond: the one idle for longest is ended"),
  VOXBUS_MCP_CALLS_PER_MINUTE: count(0, 10_000)
    .default(100)
    .describe("calls that all assistants together may make in a minute; beyond: refused; 0: any number"),
  VOXBUS_AUTH: z
    .enum(["none", "token", "hmac"])
    .optional()
    .describe("none lets the MCP server for assistants listen beyond loopback without a token"),
};

/** The configuration of mcp. */
export type McpConfig = z.infer<z.ZodObject<typeof mcpConfig>>;

/** Throws ConfigError with all problems of the file of servers, and if the fleet would be open to the network. */
export function checkMcpConfig(config: McpConfig): void {
  const problems: string[] = [];
  const { VOXBUS_MCP_FILE: file, VOXBUS_MCP_PORT: fleetPort, VOXBUS_MCP_HOST: host } = config;
  if (file === undefined && fleetPort === undefined) {
    problems.push("VOXBUS_MCP_FILE: set it, or VOXBUS_MCP_PORT, or both; without them there is nothing to do");
  }
  if (
    fleetPort !== undefined &&
    !isLoopback(host) &&
    config.VOXBUS_MCP_TOKEN === undefined &&
    config.VOXBUS_AUTH !== "none"
  ) {
    problems.push(
      `VOXBUS_MCP_HOST: ${host} is open to the network: set VOXBUS_MCP_TOKEN, or allow it with VOXBUS_AUTH=none`,
    );
  }
  try {
    if (file !== undefined) readServersFile(file, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
}
