import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startOnOddHost, type HostedProgram } from "@voxbus/testing";
import { afterEach, expect, it, vi } from "vitest";

const programs: HostedProgram[] = [];
afterEach(() => {
  for (const { child } of programs.splice(0)) child.kill("SIGKILL");
});

// A process cannot run TypeScript on Node 20, so this one uses the built library.
const source = `
  import { trace } from "@opentelemetry/api";
  import { run } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
  await run({ name: "bell", opsPort: 0 }, async ({ route }) => {
    route("POST /ring", (_request, response) => {
      trace.getTracer("bell").startSpan("ring").end();
      response.end("rung");
    });
  });`;

function launch(env: Readonly<Record<string, string>>): HostedProgram {
  const command = [process.execPath, "--input-type=module", "-e", source];
  const cwd = new URL("../", import.meta.url).pathname;
  const program = startOnOddHost(command, { cwd, channel: true, env: { VOXBUS_LOG_FORMAT: "json", ...env } });
  programs.push(program);
  return program;
}

it("traces: failing export is reported once when it begins, and once when it works again", async () => {
  let status = 401;
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(status).end());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { addresses, output, end } = launch({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:s3cret@${address}`,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  const { ops } = await addresses;
  const ring = () => fetch(`${ops}/ring`, { method: "POST" });
  const count = (message: string) => output().split(`"msg":"${message}"`).length - 1;
  const ringThrice = async () => {
    for (let i = 0; i < 3; i += 1) await Promise.all([once(server, "request"), ring()]);
  };
  await ringThrice();
  await vi.waitFor(() => expect(count("trace export failing")).toBe(1));
  status = 200;
  await ringThrice();
  await vi.waitFor(() => expect(count("trace export working again")).toBe(1));
  expect((await end("SIGTERM")).code).toBe(0);
  expect([count("trace export failing"), count("trace export working again")]).toEqual([1, 1]);
  expect(output()).toMatch(/"lost":[1-9]\d*,"msg":"trace export working again"/);
  expect(output()).not.toContain("s3cret");
  server.close();
});

it.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT: expected an address"],
  [{ OTEL_TRACES_EXPORTER: "jaeger" }, "OTEL_TRACES_EXPORTER: expected otlp or none"],
  [
    { OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "thrift" },
    "OTEL_EXPORTER_OTLP_PROTOCOL: expected one of http/protobuf, http/json, grpc",
  ],
])("traces: a setting that cannot be used (%o) is named, and the program runs without them", async (env, reason) => {
  const { output, awaitLine, end } = launch(env);
  await awaitLine(/"msg":"ready"/);
  expect(output()).toContain(`"reason":"${reason}`);
  expect((await end("SIGTERM")).code).toBe(0);
});
