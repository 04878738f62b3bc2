import { core, node, tracing } from "@opentelemetry/sdk-node";
import { beforeEach, expect, test } from "vitest";
import { traceUtterance } from "./utterance-span.ts";

const spans = new tracing.InMemorySpanExporter();
new node.NodeTracerProvider({ spanProcessors: [new tracing.SimpleSpanProcessor(spans)] }).register({
  propagator: new core.W3CTraceContextPropagator(),
});
beforeEach(() => spans.reset());

const listen = {
  sent: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01" },
};

function hear(text: string | undefined): tracing.ReadableSpan | undefined {
  const utterance = traceUtterance(listen, { from: 3 });
  expect(utterance.trace["traceparent"]).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-/);
  utterance.spoke(300);
  utterance.spoke(20);
  utterance.endOfSpeech(9);
  utterance.recognized({ engine: "embedded", ms: 41.6, text });
  utterance.end("heard", 50);
  return spans.getFinishedSpans()[0];
}

test("asr: the span stands below the opening frame, linked to the listen, with times and without words", () => {
  const span = hear(undefined);
  expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  expect(span?.links.map(({ context }) => context.spanId)).toEqual(["c7ad6b7169203331"]);
  expect(span?.events.map(({ name }) => name)).toEqual(["onset", "end of speech"]);
  expect(span?.attributes).toMatchObject({
    "voxbus.asr.audio_ms": 320,
    "voxbus.asr.engine_ms": 42,
    "voxbus.asr.engine": "embedded",
  });
  expect(span?.attributes).not.toHaveProperty("voxbus.asr.text");
});

test("asr: the transcript is there only if content is traced", () => {
  expect(hear("hello")?.attributes["voxbus.asr.text"]).toBe("hello");
});
