import { signal, type ReadonlySignal } from "@preact/signals";

type JsonObject = Readonly<Record<string, unknown>>;

interface Tool {
  readonly description: string;
  readonly properties?: JsonObject;
  call(args: JsonObject): string;
}

/** This browser's tools for the assistant (docs/protocol.md, device MCP). */
export interface DeviceTools {
  /** Volume of the loudspeaker, 0 to 100. */
  readonly volume: ReadonlySignal<number>;
  readonly lamp: ReadonlySignal<boolean>;
  /** Runs a JSON-RPC request and returns the answer; undefined for a notification. */
  answer(request: JsonObject): JsonObject | undefined;
}

/** Creates the tools for a volume and a lamp. */
export function createDeviceTools(): DeviceTools {
  const volume = signal(70);
  const lamp = signal(false);
  const setLamp = (isOn: boolean) => {
    lamp.value = isOn;
    return "true";
  };
  const tools: Readonly<Record<string, Tool>> = {
    "self.get_device_status": {
      description: "Returns the device's status: its speaker and its lamp.",
      call: () => JSON.stringify({ audio_speaker: { volume: volume.value }, lamp: { on: lamp.value } }),
    },
    "self.audio_speaker.set_volume": {
      description: "Sets the volume of the speaker, 0 to 100.",
      properties: { volume: { type: "integer", minimum: 0, maximum: 100 } },
      call({ volume: wanted }) {
        if (typeof wanted !== "number" || !(wanted >= 0 && wanted <= 100)) {
          throw new Error(`volume must be a number from 0 to 100, got ${JSON.stringify(wanted)}`);
        }
        volume.value = wanted;
        return "true";
      },
    },
    "self.lamp.turn_on": { description: "Turns the lamp on.", call: () => setLamp(true) },
    "self.lamp.turn_off": { description: "Turns the lamp off.", call: () => setLamp(false) },
  };

  const run = (method: string, params: JsonObject): JsonObject => {
    if (method === "initialize") {
      return {
        protocolVersion: "2024-11-05",
        capabilities: { tools: {} },
        serverInfo: { name: "voxbus-page", version: "1" },
      };
    }
    if (method === "tools/list") {
      const list = Object.entries(tools).map(([name, { description, properties = {} }]) => ({
        name,
        description,
        inputSchema: { type: "object", properties, required: Object.keys(properties) },
      }));
      return { tools: list };
    }
    const name = String(params["name"]);
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
    if (method !== "tools/call" || !tool)
      throw new Error(`unknown method or tool: ${method} ${name}; tools/list lists the tools`);
    const text = tool.call((params["arguments"] ?? {}) as JsonObject);
    return { content: [{ type: "text", text }], isError: false };
  };

  return {
    volume,
    lamp,
    answer({ id, method, params }) {
      if (typeof method !== "string" || !Number.isInteger(id)) return undefined;
      try {
        return { jsonrpc: "2.0", id, result: run(method, (params ?? {}) as JsonObject) };
      } catch (error) {
        return { jsonrpc: "2.0", id, error: { message: (error as Error).message } };
      }
    },
  };
}
