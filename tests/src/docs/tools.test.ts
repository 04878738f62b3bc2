import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceInfo } from "@voxbus/bus";
import { channels, ToolMetadata } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { readBlocks, readPage } from "./markdown.ts";

const python = spawnSync("python3", ["-c", "import msgpack, nats.micro"]);
const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";

test.skipIf(python.status !== 0)("docs/bus.md, tools: the tool in Python is found, answers, and refuses", async () => {
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await connectTestBus(nats.url);
  onTestFinished(() => bus.close());
  const folder = mkdtempSync(join(tmpdir(), "voxbus-tool-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [block] = readBlocks(readPage("docs/bus.md"), "python");
  expect(block?.text.trim().split("\n").length).toBeLessThanOrEqual(22);
  writeFileSync(join(folder, "weather.py"), block?.text ?? "");
  const program = spawn("python3", ["weather.py"], {
    cwd: folder,
    env: { ...process.env, VOXBUS_NATS_URL: nats.url },
    stdio: "inherit",
  });
  onTestFinished(() => void program.kill());

  const found: ServiceInfo[] = [];
  const discovery = bus.discover((service) => found.push(service));
  await vi.waitFor(
    () => {
      discovery.ask();
      expect(found[0]?.endpoints).toMatchObject([{ name: "weather", subject: "tool.weather", queue_group: "q" }]);
    },
    { timeout: 15_000 },
  );
  const metadata = ToolMetadata.parse(found[0]?.endpoints?.[0]?.metadata);
  expect(metadata).toMatchObject({ description: "Tells the weather of a city.", timeoutMs: 10_000 });
  const ask = (city: string) => {
    const deadline = Date.now() + metadata.timeoutMs;
    const call = { id: `${session}:7:1`, device: "kitchen", session, origin: 7, args: { city }, deadline };
    return bus.request(channels.tool("weather"), call);
  };
  expect(await ask("Rome")).toEqual({ text: "24 degrees and sun" });
  await expect(ask("Atlantis")).rejects.toMatchObject({ reason: "there is no report for Atlantis", code: 404 });
});
