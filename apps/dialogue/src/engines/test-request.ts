import { createPool, type Pool, type PoolOptions } from "@voxbus/pools";
import { Profile } from "@voxbus/protocol";
import { ToolError, type AnswerRequest, type DeviceAccess, type LlmEngine, type Tool } from "./engine.ts";

/** A tool that sets the volume, as devices have it. */
export const setVolume: Tool = {
  name: "self.audio_speaker.set_volume",
  description: "Set the volume",
  inputSchema: { type: "object", properties: { volume: { type: "integer" } } },
};

/** A device without tools, except for those given. */
export function createAccess(rest: Partial<DeviceAccess> = {}): DeviceAccess {
  return {
    tools: { list: [], call: () => Promise.reject(new ToolError("no tools")) },
    ...rest,
  };
}

/** A pool with room for all requests of a test, unless the options say otherwise. */
export function createTestPool(options: Partial<PoolOptions> = {}): Pool {
  return createPool({ name: "model", slots: 10, timeoutMs: 60_000, ...options });
}

/** A request in English, without history. */
export function createRequest(text: string, rest: Partial<AnswerRequest> = {}): AnswerRequest {
  const profile = Profile.parse({});
  const turn = { device: "test", session: "s1", origin: 7, since: performance.now() };
  return { text, language: "en", history: [], profile, device: createAccess(), turn, spoken: "", ...rest };
}

/** Resolves with the whole text of an answer. */
export async function collectText(
  engine: LlmEngine,
  request: AnswerRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  let text = "";
  for await (const delta of engine.respond(request, signal)) if (delta.type === "text") text += delta.text;
  return text;
}
