import { context, createContextKey } from "@opentelemetry/api";
import type { core, tracing } from "@opentelemetry/sdk-node";
import { hideSecrets } from "./hide-secrets.ts";
import type { Log } from "./log.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The export of spans from this process. */
export interface Telemetry {
  /** Sends the remaining spans, within 2 s. */
  close(): Promise<void>;
}

/** The key in the active context of a span id chosen beforehand, for spans whose id others must know before they start. */
const chosenId = createContextKey("voxbus.span_id");

/** The exporters, by `OTEL_EXPORTER_OTLP_PROTOCOL`. */
const exporters = {
  "http/protobuf": () => import("@opentelemetry/exporter-trace-otlp-proto"),
  "http/json": () => import("@opentelemetry/exporter-trace-otlp-http"),
  grpc: () => import("@opentelemetry/exporter-trace-otlp-grpc"),
};

/** Settings of the standard OpenTelemetry variables. */
interface Settings {
  readonly protocol: keyof typeof exporters;
  readonly endpoint: string | undefined;
}

/** Reads the standard variables. Undefined if they ask for no traces. Throws an error that names a bad one. */
function readSettings(env: Env): Settings | undefined {
  const exporter = env["OTEL_TRACES_EXPORTER"];
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || exporter === "none") return undefined;
  const endpoints = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
  const variable = endpoints.find((name) => env[name]);
  if (!exporter && variable === undefined) return undefined;
  if (exporter && exporter !== "otlp") throw new Error("OTEL_TRACES_EXPORTER: expected otlp or none");
  const protocol = env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] || env["OTEL_EXPORTER_OTLP_PROTOCOL"] || "http/protobuf";
  if (!Object.hasOwn(exporters, protocol))
    throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL: expected one of ${Object.keys(exporters).join(", ")}`);
  const endpoint = variable && env[variable];
  if (endpoint && protocol !== "grpc" && !/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : ""))
    throw new Error(`${variable}: expected an address that begins with http:// or https://`);
  return { protocol: protocol as Settings["protocol"], endpoint };
}

/**
 * Starts the OpenTelemetry SDK, configured by the `OTEL_*` variables of traces. They are those of other programs too, so a
 * bad one is logged and ends nothing. `service.name` is `voxbus-<program>` unless they name it. Returns undefined, and costs
 * nothing, if they do not ask for traces. Metrics and logs are not exported, and the context is always W3C's.
 */
export async function startTelemetry(
  { name, log }: { readonly name: string; readonly log: Log },
  env: Env,
): Promise<Telemetry | undefined> {
  let settings: Settings | undefined;
  try {
    settings = readSettings(env);
  } catch (error) {
    log.warn({ reason: (error as Error).message }, "traces off");
  }
  if (settings === undefined) return undefined;
  const { core, NodeSDK, tracing } = await import("@opentelemetry/sdk-node");
  const { OTLPTraceExporter } = await exporters[settings.protocol]();
  process.env["OTEL_METRICS_EXPORTER"] = "none";
  process.env["OTEL_LOGS_EXPORTER"] = "none";
  const random = new tracing.RandomIdGenerator();
  const sdk = new NodeSDK({
    traceExporter: reportFailures(new OTLPTraceExporter(), core.ExportResultCode.SUCCESS, log),
    textMapPropagator: new core.W3CTraceContextPropagator(),
    idGenerator: {
      generateTraceId: () => random.generateTraceId(),
      generateSpanId: () => (context.active().getValue(chosenId) as string | undefined) ?? random.generateSpanId(),
    },
    ...(env["OTEL_SERVICE_NAME"] ? {} : { serviceName: `voxbus-${name}` }),
    instrumentations: [],
  });
  sdk.start();
  log.info({ endpoint: hideSecrets(settings.endpoint ?? "default") }, "trace export started");
  return {
    async close() {
      const late = new Promise<void>((resolve) => {
        setTimeout(resolve, 2000).unref();
      });
      await Promise.race([sdk.shutdown(), late]).catch((err: unknown) => {
        log.warn({ err }, "last span export failed");
      });
    },
  };
}

/** Passes spans on to `exporter`. Logs when it begins to fail, and when it works again, with the number of lost spans. */
function reportFailures(
  exporter: tracing.SpanExporter,
  success: core.ExportResultCode,
  log: Log,
): tracing.SpanExporter {
  let lost = 0;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code !== success) {
          if (lost === 0) log.warn({ err: result.error }, "trace export failing");
          lost += spans.length;
        } else if (lost > 0) {
          log.info({ lost }, "trace export working again");
          lost = 0;
        }
        done(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
