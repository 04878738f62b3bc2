import { context, createContextKey } from "@opentelemetry/api";
import type { Log } from "./log.ts";

/** Spans on their way out of the process. */
export interface Telemetry {
  /** Sends what is left, within 2 s. */
  close(): Promise<void>;
}

/** Under this key of the active context a span that starts finds its id, where others must know it beforehand. */
const chosenId = createContextKey("voxbus.span_id");

/** True when the standard OpenTelemetry variables ask for traces; nothing of the SDK is loaded otherwise. */
export function wantsTraces(env: Readonly<Record<string, string | undefined>>): boolean {
  const exporter = env["OTEL_TRACES_EXPORTER"];
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || exporter === "none") return false;
  return Boolean(exporter || env["OTEL_EXPORTER_OTLP_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
}

/**
 * Starts the OpenTelemetry SDK, configured by the `OTEL_*` variables alone; `service.name` is `voxbus-<program>` unless
 * they name it. Gives undefined, and costs nothing, when they do not ask for traces. Metrics stay on the operations port.
 */
export async function startTelemetry(
  options: { readonly name: string; readonly log: Log },
  env: Readonly<Record<string, string | undefined>>,
): Promise<Telemetry | undefined> {
  if (!wantsTraces(env)) return undefined;
  const { NodeSDK, tracing } = await import("@opentelemetry/sdk-node");
  process.env["OTEL_METRICS_EXPORTER"] ??= "none";
  process.env["OTEL_LOGS_EXPORTER"] ??= "none";
  const random = new tracing.RandomIdGenerator();
  const sdk = new NodeSDK({
    idGenerator: {
      generateTraceId: () => random.generateTraceId(),
      generateSpanId: () => (context.active().getValue(chosenId) as string | undefined) ?? random.generateSpanId(),
    },
    ...(env["OTEL_SERVICE_NAME"] ? {} : { serviceName: `voxbus-${options.name}` }),
    instrumentations: [],
  });
  sdk.start();
  options.log.info(
    {
      endpoint: env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "the exporter's own",
    },
    "traces are exported",
  );
  return {
    async close() {
      const late = new Promise<void>((resolve) => {
        setTimeout(resolve, 2000).unref();
      });
      await Promise.race([sdk.shutdown(), late]).catch((error: unknown) => {
        options.log.warn({ err: error }, "the last spans could not be exported");
      });
    },
  };
}
