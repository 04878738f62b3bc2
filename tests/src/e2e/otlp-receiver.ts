import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

type Value = string | number | boolean;

/** A span as a tracing backend receives it. */
export interface ReceivedSpan {
  /** The program that made it, such as `voxbus-asr`. */
  readonly service: string;
  readonly trace: string;
  readonly id: string;
  /** The parent's id; empty for the root. */
  readonly parent: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  /** In ms since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly events: readonly string[];
  readonly links: readonly string[];
}

/** A minimal tracing backend: OTLP over HTTP, in JSON. */
export interface OtlpReceiver {
  readonly spans: readonly ReceivedSpan[];
  /** The paths of all requests. */
  readonly paths: ReadonlySet<string>;
  /** The bodies of all requests. */
  readonly bodies: readonly string[];
  /** The environment that makes programs send their spans here. */
  readonly variables: Readonly<Record<string, string>>;
  close(): void;
}

interface Attribute {
  readonly key: string;
  readonly value: { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
}
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly Attribute[] }[];
  readonly links: readonly { readonly spanId: string }[];
  readonly status: { readonly code?: number };
}
interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const kinds = ["internal", "internal", "server", "client", "producer", "consumer"] as const;

/** Starts a receiver on a free port of 127.0.0.1. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const paths = new Set<string>();
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    paths.add(request.url ?? "");
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
    if (request.url === "/v1/traces") {
      bodies.push(body);
      spans.push(...readSpans(JSON.parse(body) as OtlpRequest));
    }
    response.setHeader("content-type", "application/json").end("{}");
  };
  const server = createServer((request, response) => void take(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    spans,
    paths,
    bodies,
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function readSpans({ resourceSpans }: OtlpRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(readAttributes(resource.attributes)["service.name"]);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => readSpan(service, span)));
  });
}

function readSpan(service: string, span: OtlpSpan): ReceivedSpan {
  return {
    service,
    trace: span.traceId,
    id: span.spanId,
    parent: span.parentSpanId ?? "",
    name: span.name,
    kind: kinds[span.kind] ?? "internal",
    start: Number(span.startTimeUnixNano) / 1e6,
    end: Number(span.endTimeUnixNano) / 1e6,
    failed: span.status.code === 2,
    attributes: readAttributes(span.attributes),
    events: span.events.map(({ name }) => name),
    links: span.links.map(({ spanId }) => spanId),
  };
}

function readAttributes(list: readonly Attribute[]): Record<string, Value> {
  return Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue),
    ]),
  );
}
