import { SpanKind, SpanStatusCode, trace, type Span } from "@opentelemetry/api";

/** The span of one request to a model, named by OpenTelemetry's GenAI conventions. */
export interface ModelSpan {
  /** A piece of the answer came; the first one is an event. */
  token(): void;
  /** What the model says that it read and wrote, in its tokens. */
  usage(input: number, output: number): void;
  end(error?: unknown): void;
}

/** Begins the span `chat MODEL` in the active context. Neither the question nor the answer is in it. */
export function startModelSpan({ provider, model }: { readonly provider: string; readonly model: string }): ModelSpan {
  const span = trace.getTracer("voxbus").startSpan(`chat ${model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": provider,
      "gen_ai.system": provider,
      "gen_ai.request.model": model,
      "gen_ai.output.type": "text",
    },
  });
  let begun = false;
  return {
    token() {
      if (!begun) span.addEvent("first token");
      begun = true;
    },
    usage(input, output) {
      span.setAttributes({ "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output });
    },
    end: (error) => endSpan(span, error),
  };
}

/** Calls a tool within a span `execute_tool NAME`; neither arguments nor result are in it. */
export async function traceTool<T>(name: string, call: () => Promise<T>): Promise<T> {
  const attributes = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": name,
    "gen_ai.tool.type": "function",
  };
  return trace.getTracer("voxbus").startActiveSpan(`execute_tool ${name}`, { attributes }, async (span) => {
    try {
      const result = await call();
      span.end();
      return result;
    } catch (error) {
      endSpan(span, error);
      throw error;
    }
  });
}

/** Only the error's name is kept: its text may hold what was said. */
function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setAttribute("error.type", error instanceof Error ? error.name : "error");
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
