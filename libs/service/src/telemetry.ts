import { context, createContextKey } from "@opentelemetry/api";
import type { Log } from "./log.ts";

/** The export of spans from this process. */
export interface Telemetry {
  /** Sends the remaining spans, within 2 s. */
  close(): Promise<void>;
}

/** The key in the active context of a span id chosen beforehand, for spans whose id others must know before they start. */
const chosenId = createContextKey("voxbus.span_id");

/** True if the standard OpenTelemetry variables ask for traces. Otherwise the SDK is not loaded. */
export function wantsTraces(env: Readonly<Record<string, string | undefined>>): boolean {
  const exporter = env["OTEL_TRACES_EXPORTER"];
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || exporter === "none") return false;
  return Boolean(exporter || env["OTEL_EXPORTER_OTLP_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
}

/**
 * Starts the OpenTelemetry SDK, configured by the `OTEL_*` variables alone. `service.name` is `voxbus-<program>` unless
 * they name it. Returns undefined, and costs nothing, if they do not ask for traces. Metrics stay on the operations port.
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
      endpoint: env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "default",
    },
    "trace export started",
  );
  return {
    async close() {
      const late = new Promise<void>((resolve) => {
        setTimeout(resolve, 2000).unref();
      });
      await Promise.race([sdk.shutdown(), late]).catch((err: unknown) => {
        options.log.warn({ err }, "last span export failed");
      });
    },
  };
}
