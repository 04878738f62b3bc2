import type { PresenceView } from "@voxbus/presence";
import { buckets, parseJson } from "@voxbus/protocol";
import {
  readResult,
  ToolCallError,
  ToolError,
  z,
  type McpClient,
  type OfferTool,
  type ToolCallInfo,
} from "@voxbus/subscriber";
import { phrasesIn, type LevelName } from "./phrases.ts";
import { placeOf, type ToolDeps } from "./tool-deps.ts";

/** Dependencies of the tools for levels. */
export interface LevelToolDeps extends ToolDeps {
  readonly presence: Pick<PresenceView, "online">;
  readonly devices: Pick<McpClient, "request">;
  /** The longest wait for an answer of a device, ms. */
  readonly deviceMs: number;
}

/** A device's own tool that sets a level, and the part of its status that has the level (docs/protocol.md, device MCP). */
const levels = {
  volume: { setter: "self.audio_speaker.set_volume", part: "audio_speaker" },
  brightness: { setter: "self.screen.set_brightness", part: "screen" },
} as const;
const marginMs = 2000;
const getStatus = "self.get_device_status";

/** Offers the tools that set the volume and the brightness of the device. */
export function offerLevels(tool: OfferTool, deps: LevelToolDeps): void {
  for (const level of ["volume", "brightness"] as const) {
    tool(
      {
        name: `set_${level}`,
        description: `Sets the ${level} of the device, or changes it by some percent. Give one of the two.`,
        schema: z.object({
          percent: z.number().min(0).max(100).optional().describe(`The new ${level} in percent`),
          change: z.number().min(-100).max(100).optional().describe("Percent to add; negative for less"),
        }),
        // It may ask the device twice: for its level, and to set it.
        timeoutMs: 2 * deps.deviceMs + marginMs,
        finishes: true,
      },
      (wish, call) => setLevel(level, wish, call, deps),
    );
  }
}

async function setLevel(
  level: LevelName,
  { percent, change }: { readonly percent?: number | undefined; readonly change?: number | undefined },
  call: ToolCallInfo,
  deps: LevelToolDeps,
): Promise<string> {
  if ((percent === undefined) === (change === undefined)) throw new ToolError("expected either percent or change");
  const { phrases } = phrasesIn(placeOf(call, deps).language);
  const { setter, part } = levels[level];
  const listed = (await deps.bus.bucket(buckets.tools).get(call.session))?.value;
  const has = (name: string) => listed === undefined || listed.some((one) => one.name === name);
  const presence = deps.presence.online(call.device);
  const hasTools = presence === undefined || presence.features.mcp === true;
  if (!hasTools || !has(setter)) return phrases.noLevel(level);
  const wanted = percent ?? (await readLevel()) + (change ?? 0);
  const bounded = Math.round(Math.min(100, Math.max(0, wanted)));
  await callDevice(setter, { [level]: bounded });
  return phrases.level(level, bounded);

  async function readLevel(): Promise<number> {
    const status = has(getStatus) ? parseJson(await callDevice(getStatus, {})) : undefined;
    const found = (status as Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined)?.[part]?.[level];
    if (typeof found !== "number") throw new ToolError(`the device does not tell its ${level}; set it to a percent`);
    return found;
  }
  async function callDevice(name: string, args: object): Promise<string> {
    try {
      const request = { method: "tools/call", params: { name, arguments: args } };
      return readResult(await deps.devices.request(call, request, call.signal));
    } catch (error) {
      if (error instanceof ToolCallError) throw new ToolError(error.message, { cause: error });
      throw error;
    }
  }
}
