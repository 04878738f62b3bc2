import { signal, type Signal } from "@preact/signals";

type JsonObject = Readonly<Record<string, unknown>>;

/** What an assistant may change on this device. */
export interface Room {
  /** 0 to 100. */
  readonly volume: number;
  readonly lamp: boolean;
}

interface Tool {
  readonly description: string;
  readonly properties?: JsonObject;
  call(args: JsonObject): string;
}

/** This browser's tools, as a device has them (docs/protocol.md, device MCP): a volume and a lamp. */
export function createTools(): { readonly room: Signal<Room>; answer(request: JsonObject): JsonObject | undefined } {
  const room = signal<Room>({ volume: 70, lamp: false });
  const setLamp = (lamp: boolean) => {
    room.value = { ...room.value, lamp };
    return "true";
  };
  const tools: Readonly<Record<string, Tool>> = {
    "self.get_device_status": {
      description: "The device's present status: its speaker and its lamp.",
      call: () => JSON.stringify({ audio_speaker: { volume: room.value.volume }, lamp: { on: room.value.lamp } }),
    },
    "self.audio_speaker.set_volume": {
      description: "Sets the volume of the speaker, 0 to 100.",
      properties: { volume: { type: "integer", minimum: 0, maximum: 100 } },
      call({ volume }) {
        if (typeof volume !== "number" || !(volume >= 0 && volume <= 100)) throw new Error("volume is 0 to 100");
        room.value = { ...room.value, volume };
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
    if (method !== "tools/call" || !tool) throw new Error(`there is no ${method} ${name}`);
    const text = tool.call((params["arguments"] ?? {}) as JsonObject);
    return { content: [{ type: "text", text }], isError: false };
  };

  return {
    room,
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
