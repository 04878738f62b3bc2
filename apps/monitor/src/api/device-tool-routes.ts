import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets, DeviceTool } from "@voxbus/protocol";
import {
  callDeviceTool,
  listDeviceTools,
  loadArgumentSchemas,
  RefusedCallError,
  SchemaError,
  ToolCallError,
  type Log,
  type McpSession,
} from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus, requireDevice } from "./require.ts";

const listMs = 10_000;
const mostCallMs = 60_000;
/** The most sessions whose tools are remembered between calls. */
const mostListed = 1000;

const Call = z.strictObject({
  arguments: z.record(z.string().max(1024), z.unknown()).default({}).describe("as its schema wants them"),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(mostCallMs)
    .default(10_000)
    .describe("longest wait for the device's result, ms"),
});

/** Dependencies of the routes about the devices' tools. */
export interface DeviceToolParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly log: Log;
}

/** Adds the routes that list and call the tools that devices offer over MCP. */
export function addDeviceToolRoutes(app: App, parts: DeviceToolParts): void {
  const { bus, log } = parts;
  const { readListed, findTool, ask } = createAsking(parts);
  const shared = ["bad-device-id", "device-offline", "no-tools", "device-timeout", "tool-refused", "bus-away"] as const;

  addRoute(app, "get", "/api/devices/{id}/tools", {
    summary: "The tools that a device offers, with the JSON Schemas of their arguments",
    params: ByDevice,
    answer: z.object({ session: z.string(), tools: z.array(DeviceTool) }),
    problems: shared,
    handle: ({ params: { id } }) =>
      ask(id, listMs, async (of, signal) => ({ session: of.session, tools: [...(await readListed(of, signal))] })),
  });

  addRoute(app, "post", "/api/devices/{id}/tools/{name}", {
    summary: "Calls a tool of a device, and waits for its result",
    status: 200,
    params: ByDevice.extend({ name: z.string().min(1).max(1024).describe("the tool's name") }),
    body: Call,
    answer: z.object({ session: z.string(), result: z.string().describe("the result as text") }),
    problems: [...shared, "bad-field", "tool-unknown"],
    handle: ({ params: { id, name }, body: { arguments: args, timeoutMs } }) =>
      ask(id, timeoutMs, async (of, signal) => {
        const tool = await findTool(of, name, signal);
        if (!tool) throw new Problem("tool-unknown", `${id} has no tool ${name}`);
        await checkArguments(tool, args);
        const result = await callDeviceTool(bus, of, { name, args }, { timeoutMs, signal });
        log.info({ device: id, session: of.session, tool: name }, "device tool called");
        return { session: of.session, result };
      }),
  });
}

/** Creates how a device is asked in its open session, within a time and as long as the session is open. */
function createAsking({ bus, presence }: DeviceToolParts) {
  /** The tools of sessions, the oldest first. */
  const remembered = new Map<string, readonly DeviceTool[]>();
  /** Reads the list of tools that dialogue has, or asks the device. */
  const readListed = async (of: McpSession, signal: AbortSignal): Promise<readonly DeviceTool[]> => {
    const listed = (await bus.bucket(buckets.tools).get(of.session))?.value ?? [];
    const tools = listed.length > 0 ? listed : await listDeviceTools(bus, of, { timeoutMs: listMs, signal });
    remembered.set(of.session, tools);
    const [oldest] = remembered.size > mostListed ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    return tools;
  };
  return {
    readListed,
    /** Finds a tool by its name. One that was listed in this session before costs no round trip. */
    async findTool(of: McpSession, name: string, signal: AbortSignal): Promise<DeviceTool | undefined> {
      const find = (tools: readonly DeviceTool[] = []) => tools.find((one) => one.name === name);
      return find(remembered.get(of.session)) ?? find(await readListed(of, signal));
    },
    async ask<T>(id: string, ms: number, question: (of: McpSession, signal: AbortSignal) => Promise<T>): Promise<T> {
      const { session, features } = requireDevice(presence, id);
      requireBus(bus);
      if (features.mcp !== true)
        throw new Problem("no-tools", `${id} did not say in its hello that it has tools (mcp)`);
      const over = new AbortController();
      const end = (problem: Problem) => over.abort(problem);
      const late = new Problem(
        "device-timeout",
        `${id} did not answer within ${ms} ms; it may still do what was asked`,
      );
      const gone = new Problem("device-offline", `${id} went away meanwhile; it may have done what was asked`);
      const timer = setTimeout(() => end(late), ms);
      const watch = presence.watch((device, now) => {
        if (device === id && now?.session !== session) end(gone);
      });
      try {
        return await question({ device: id, session }, over.signal);
      } catch (error) {
        if (over.signal.aborted && error instanceof ToolCallError) throw over.signal.reason as Problem;
        if (error instanceof RefusedCallError) throw new Problem("tool-refused", error.message, { cause: error });
        if (error instanceof ToolCallError) throw late;
        throw error;
      } finally {
        clearTimeout(timer);
        watch.close();
      }
    },
  };
}

/** Throws the problem `bad-field` if the schema of a tool does not take arguments. A schema that cannot be read takes any. */
async function checkArguments({ inputSchema }: DeviceTool, args: Readonly<Record<string, unknown>>): Promise<void> {
  const { readArgumentSchema } = await loadArgumentSchemas();
  let problem: string | undefined;
  try {
    problem = readArgumentSchema(JSON.stringify(inputSchema)).check(args);
  } catch (error) {
    // The device checks them itself.
    if (!(error instanceof SchemaError)) throw error;
  }
  if (problem === undefined) return;
  throw new Problem("bad-field", `arguments: ${problem}`, { errors: [{ field: "arguments", message: problem }] });
}
