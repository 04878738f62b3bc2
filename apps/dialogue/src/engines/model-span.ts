import { SpanKind, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import { traceOf, type Trace } from "@voxbus/bus";

/** The span of one request to a model, named by OpenTelemetry's GenAI conventions. */
export interface ModelSpan {
  /** The headers that make the server's span a child of this one. Empty without tracing. */
  readonly headers: Trace;
  /** Notes a piece of the answer. The first one becomes the event `first token`. */
  token(): void;
  /** Records how many tokens the model read and wrote. */
  usage(input: number, output: number): void;
  /** Ends the span; with an error, as failed. */
  end(error?: unknown): void;
}

/** Starts the span `chat MODEL` in the active context. It contains neither the question nor the answer. */
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
  let started = false;
  return {
    headers: traceOf(span),
    token() {
      if (!started) span.addEvent("first token");
      started = true;
    },
    usage(input, output) {
      span.setAttributes({ "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output });
    },
    end: (error) => endSpan(span, error),
  };
}

/** Calls a tool within a span `execute_tool NAME`, which contains neither arguments nor result. */
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

/** Ends a span. It keeps only the error's name, because the error's text may contain words of the user. */
function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setAttribute("error.type", error instanceof Error ? error.name : "error");
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
