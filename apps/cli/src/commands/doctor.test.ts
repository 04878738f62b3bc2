import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startModelServer, startNatsServer } from "@voxbus/testing";
import { afterAll, expect, test, vi } from "vitest";
import type { Finding } from "../doctor/finding.ts";
import { runCliHere } from "../test-cli.ts";

vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "voxbus-doctor-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Free ports, so that a system on this machine does not count. */
const ports = Object.fromEntries(
  [
    "GATEWAY",
    "MONITOR",
    "GATEWAY_OPS",
    "ASR_OPS",
    "TTS_OPS",
    "DIALOGUE_OPS",
    "TOOLS_OPS",
    "MONITOR_OPS",
    "MCP_OPS",
  ].map((name) => [`VOXBUS_${name}_PORT`, "0"]),
);

async function examine(env: Readonly<Record<string, string>>) {
  const { code, stdout } = await runCliHere(["doctor", "--json"], { ...ports, ...env });
  const findings = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  return { code, findings, find: (check: string) => findings.filter((one) => one.check === check) };
}

test("doctor: with a NATS that hangs it says so with the fix, goes on, and fails", async () => {
  const silent = createServer(() => undefined);
  await once(silent.listen(0, "127.0.0.1"), "listening");
  const { port } = silent.address() as AddressInfo;
  try {
    const { code, findings, find } = await examine({ VOXBUS_NATS_URL: `nats://127.0.0.1:${port}` });
    expect(code).toBe(1);
    expect(find("nats")).toMatchObject([{ state: "failed", found: expect.stringContaining("cannot be reached") }]);
    expect(find("node")).toMatchObject([{ state: "ok" }]);
    expect(find("engines")).toHaveLength(3);
    for (const { state, fix } of findings) if (state === "failed" || state === "warning") expect(fix).toBeTruthy();
  } finally {
    silent.close();
  }
});

test("doctor: it tries the engines while NATS keeps it waiting", async () => {
  const order: string[] = [];
  // A connection to each of them is tried for 3 s, one after the other.
  const cluster = [1, 2, 3].map(() =>
    createServer((socket) => socket.on("close", () => order.push("NATS given up")).resume()).listen(0, "127.0.0.1"),
  );
  await Promise.all(cluster.map((silent) => once(silent, "listening")));
  const transcribe = () => {
    order.push("engine asked");
    return "hello";
  };
  const model = await startModelServer({ transcribe });
  try {
    const urls = cluster.map((silent) => `nats://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const asr = { VOXBUS_ASR_ENGINE: "openai", VOXBUS_ASR_URL: model.url };
    await examine({ VOXBUS_NATS_URL: urls.join(), ...asr });
    expect(order).toContain("engine asked");
    // The end of a connection is seen a little later than the doctor's last word.
    const asked = order.indexOf("engine asked");
    await vi.waitFor(() => expect(order.lastIndexOf("NATS given up")).toBeGreaterThan(asked));
  } finally {
    cluster.forEach((silent) => silent.close());
    await model.close();
  }
});

test("doctor: it measures the engines, and names bad settings, ports and the lack of programs", async () => {
  const nats = await startNatsServer();
  const model = await startModelServer({ chat: () => ["Hello there."] });
  const taken = createServer();
  await once(taken.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = taken.address() as AddressInfo;
    const { code, find } = await examine({
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_DATA_DIR: folder,
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: model.url,
      VOXBUS_TTS_ENGINE: "openai",
      VOXBUS_TTS_URL: "http://127.0.0.1:9/v1",
      VOXBUS_ASR_OPS_PORT: String(port),
      VOXBUS_GATEWAY_PROT: "1",
    });
    expect(code).toBe(1);
    expect(find("nats")).toMatchObject([{ state: "ok" }]);
    expect(find("jetstream")).toMatchObject([{ state: "ok" }]);
    expect(find("permissions")).toMatchObject([{ state: "ok" }]);
    expect(find("streams")).toMatchObject([{ state: "warning", found: expect.stringContaining("missing: DEVICE_IN") }]);
    expect(find("programs")).toMatchObject([{ state: "warning" }]);
    expect(find("disk")).toHaveLength(1);
    expect(find("config")).toMatchObject([{ state: "warning", fix: "Rename it to VOXBUS_GATEWAY_PORT." }]);
    expect(find("ports")).toContainEqual(
      expect.objectContaining({ state: "failed", fix: expect.stringContaining("VOXBUS_ASR_OPS_PORT") }),
    );
    const engines = new Map(find("engines").map((one) => [one.values?.["program"], one]));
    // A busy machine is slow, which is a warning.
    expect(engines.get("asr")).toMatchObject({
      values: { engine: "embedded", firstMs: expect.any(Number) },
    });
    expect(engines.get("dialogue")).toMatchObject({
      values: { engine: "openai", firstMs: expect.any(Number) },
    });
    expect(engines.get("tts")).toMatchObject({ state: "failed", fix: expect.stringContaining("VOXBUS_TTS_URL") });
  } finally {
    taken.close();
    await model.close();
    await nats.stop();
  }
});
