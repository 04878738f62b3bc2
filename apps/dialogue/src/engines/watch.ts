import type { EngineHealth } from "@voxbus/engines";
import { Profile } from "@voxbus/protocol";
import { ToolError, type AnswerRequest, type Delta, type LlmEngine } from "./engine.ts";

/** Makes an engine that notes the ends of its answers. One that its reader left, or that was aborted, is neither. */
export function watchEngine(engine: LlmEngine, health: Pick<EngineHealth, "begin">): LlmEngine {
  return {
    ...engine,
    async *respond(request, signal): AsyncGenerator<Delta> {
      const noted = health.begin();
      try {
        yield* engine.respond(request, signal);
        if (!signal.aborted) noted.succeeded();
      } catch (error) {
        if (!signal.aborted) noted.failed(error);
        throw error;
      }
    },
  };
}

/** Asks an engine for an answer, and leaves at its first word. Throws if it has none. */
export async function probeEngine(engine: LlmEngine, signal: AbortSignal): Promise<void> {
  for await (const delta of engine.respond(createProbe(), signal)) if (delta.type === "text") return;
  signal.throwIfAborted();
  throw new SyntaxError("the engine gave an answer without words");
}

function createProbe(): AnswerRequest {
  const device = { tools: { list: [], call: () => Promise.reject(new ToolError("a probe has no tools")) } };
  const turn = { device: "probe", session: "probe", origin: 1, since: performance.now() };
  return { text: "Hello.", language: "en", history: [], profile: Profile.parse({}), device, turn, spoken: "" };
}
