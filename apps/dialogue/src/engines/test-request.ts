import { Profile } from "@voxbus/protocol";
import { ToolError, type AnswerRequest, type DeviceAccess, type LlmEngine, type Tool } from "./engine.ts";

/** A tool that sets the volume, as devices have it. */
export const setVolume: Tool = {
  name: "self.audio_speaker.set_volume",
  description: "Set the volume",
  inputSchema: { type: "object", properties: { volume: { type: "integer" } } },
};

/** A device without tools and reminders, except for those given. */
export function createAccess(rest: Partial<DeviceAccess> = {}): DeviceAccess {
  return {
    tools: { list: [], call: () => Promise.reject(new ToolError("no tools")) },
    reminders: { schedule: async () => undefined, cancel: async () => 0 },
    ...rest,
  };
}

/** A request in English, without history. */
export function createRequest(text: string, rest: Partial<AnswerRequest> = {}): AnswerRequest {
  const profile = Profile.parse({});
  return { text, language: "en", history: [], profile, device: createAccess(), spoken: "", ...rest };
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
