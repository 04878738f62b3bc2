/** A JSON object of a device's MCP conversation. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The MCP server of a device. */
export interface DeviceTools {
  /** Answers a JSON-RPC request. Returns no answer where stock firmware gives none. */
  answer(request: JsonObject): readonly JsonObject[];
}

interface Tool {
  readonly description: string;
  readonly properties?: JsonObject;
  call(args: JsonObject): string;
}

const pageBytes = 8000;

/**
 * Creates a speaker with volume, screen, battery and a lamp. It answers like stock firmware (docs/protocol.md, device MCP):
 * ids must be int32 numbers, errors have a message and no code, and a page of tools has at most 8,000 bytes.
 */
export function createDeviceTools(): DeviceTools {
  const tools = createTools();
  return {
    answer({ jsonrpc, id, method, params }) {
      if (jsonrpc !== "2.0" || typeof method !== "string" || method.startsWith("notifications")) return [];
      if (!Number.isInteger(id) || (Number(id) | 0) !== id) return [];
      try {
        return [{ jsonrpc, id, result: run(tools, method, readObject(params)) }];
      } catch (error) {
        return [{ jsonrpc, id, error: { message: error instanceof Error ? error.message : String(error) } }];
      }
    },
  };
}

type Tools = Readonly<Record<string, Tool>>;

function createTools(): Tools {
  const state = { volume: 70, brightness: 75, lamp: false };
  return {
    "self.get_device_status": {
      description: "The device's present status: speaker, screen, battery, network.",
      call: () =>
        JSON.stringify({
          audio_speaker: { volume: state.volume },
          screen: { brightness: state.brightness, theme: "light" },
          battery: { level: 80, charging: false },
          network: { type: "wifi", ssid: "simulated", signal: "strong" },
        }),
    },
    "self.audio_speaker.set_volume": {
      description: "Sets the volume of the speaker, 0 to 100.",
      properties: { volume: { type: "integer", minimum: 0, maximum: 100 } },
      call: (args) => {
        state.volume = readLevel(args, "volume");
        return "true";
      },
    },
    "self.screen.set_brightness": {
      description: "Sets the brightness of the screen, 0 to 100.",
      properties: { brightness: { type: "integer", minimum: 0, maximum: 100 } },
      call: (args) => {
        state.brightness = readLevel(args, "brightness");
        return "true";
      },
    },
    "self.lamp.turn_on": { description: "Turns the lamp on.", call: () => String((state.lamp = true)) },
    "self.lamp.turn_off": { description: "Turns the lamp off.", call: () => String(!(state.lamp = false)) },
    "self.lamp.get_state": {
      description: "Tells whether the lamp is on.",
      call: () => JSON.stringify({ power: state.lamp }),
    },
  };
}

function run(tools: Tools, method: string, params: JsonObject): JsonObject {
  if (method === "initialize") {
    return {
      protocolVersion: "2024-11-05",
      capabilities: { tools: {} },
      serverInfo: { name: "voxbus-simulator", version: "2.4.2" },
    };
  }
  if (method === "tools/list") return listTools(tools, params["cursor"]);
  if (method === "tools/call") return callTool(tools, String(params["name"]), readObject(params["arguments"]));
  throw new Error(`Method not implemented: ${method}`);
}

function listTools(tools: Tools, cursor: unknown): JsonObject {
  const names = Object.keys(tools);
  const from = typeof cursor === "string" ? Math.max(0, names.indexOf(cursor)) : 0;
  const page: JsonObject[] = [];
  let bytes = 0;
  for (const name of names.slice(from)) {
    const { description, properties = {} } = tools[name]!;
    const tool = { name, description, inputSchema: { type: "object", properties, required: Object.keys(properties) } };
    bytes += JSON.stringify(tool).length;
    if (bytes > pageBytes) return { tools: page, nextCursor: name };
    page.push(tool);
  }
  return { tools: page };
}

function callTool(tools: Tools, name: string, args: JsonObject): JsonObject {
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (tool === undefined) throw new Error(`Unknown tool: ${name}`);
  return { content: [{ type: "text", text: tool.call(args) }], isError: false };
}

function readObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function readLevel(args: JsonObject, name: string): number {
  const level = args[name];
  if (typeof level !== "number" || !Number.isInteger(level)) throw new Error(`Missing valid argument: ${name}`);
  if (level < 0 || level > 100) throw new Error(`Value is out of range: ${name}`);
  return level;
}
