import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { startSubscriber } from "@voxbus/subscriber";
import { buildMcp, mcp } from "../app.ts";

/** The token of the fleet under test. */
export const token = "a-token-for-the-tests";

/** The text of a tool's result. */
export interface TestResult {
  readonly text: string;
  readonly failed: boolean;
}

/** A running program with a port for assistants, and an assistant that is connected to it. */
export interface Assistant {
  readonly url: string;
  /** Reads the program's metrics. */
  metrics(): Promise<string>;
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<TestResult>;
  stop(): Promise<void>;
}

/** Starts the program on a NATS, without a limit of calls, and connects an assistant. */
export async function startFleet(natsUrl: string, env: Readonly<Record<string, string>> = {}): Promise<Assistant> {
  const program = await startSubscriber(mcp, buildMcp, {
    VOXBUS_NATS_URL: natsUrl,
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_MCP_PORT: "0",
    VOXBUS_MCP_OPS_PORT: "0",
    VOXBUS_MCP_TOKEN: token,
    VOXBUS_MCP_CALLS_PER_MINUTE: "0",
    ...env,
  });
  const url = String(program.addresses["fleet"]);
  const { client } = await connectAssistant(url);
  return {
    url,
    metrics: async () => (await fetch(`${program.addresses["ops"]}/metrics`)).text(),
    call: (tool, args) => callTool(client, tool, args),
    async stop() {
      await client.close();
      await program.stop("quick");
    },
  };
}

/** Connects an assistant. */
export async function connectAssistant(url: string) {
  const client = new Client({ name: "assistant", version: "1" });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return { client, stop: () => client.close() };
}

/** Calls a tool of the fleet. */
export async function callTool(
  client: Client,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<TestResult> {
  const { content, isError } = await client.callTool({ name, arguments: { ...args } });
  const [part] = content as readonly { readonly text: string }[];
  return { text: part?.text ?? "", failed: isError === true };
}
