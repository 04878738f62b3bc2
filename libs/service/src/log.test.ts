import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

/** The lines that a process writes which makes spans, if the environment asks for them. */
function readLines(env: Readonly<Record<string, string>>): Record<string, unknown>[] {
  const source = `
    import { trace } from "@opentelemetry/api";
    import { startService } from ${JSON.stringify(new URL("../dist/service.js", import.meta.url).href)};
    const service = await startService({ name: "bell", opsPort: 0, config: {} }, async () => {}, process.env);
    service.log.info("outside");
    trace.getTracer("t").startActiveSpan("turn", (span) => service.log.info({ is: span.spanContext().traceId }, "inside"));
    await service.stop("quick");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
    cwd: new URL(".", import.meta.url),
    env: { PATH: process.env["PATH"] ?? "", ...env },
    encoding: "utf8",
  });
  if (stderr !== "") throw new Error(stderr);
  const lines = stdout.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it("log: a line written within a span names its trace, and no other does", () => {
  const lines = readLines({ OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  const inside = lines.find(({ msg }) => msg === "inside");
  expect(inside?.["trace_id"]).toMatch(/^[0-9a-f]{32}$/);
  expect(inside?.["trace_id"]).toBe(inside?.["is"]);
  expect(lines.find(({ msg }) => msg === "outside")).not.toHaveProperty("trace_id");
});

it("log: without the OpenTelemetry variables nothing is traced", () => {
  expect(readLines({}).find(({ msg }) => msg === "inside")).not.toHaveProperty("trace_id");
});
