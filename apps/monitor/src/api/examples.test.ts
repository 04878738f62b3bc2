import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import { openMcpDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

const page = readFileSync(new URL("../../../../docs/api.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code = ""]) => code);
const token = "operator-s3cret-0000";
const directory = mkdtempSync(join(tmpdir(), "voxbus-api-"));
let my: TestMonitor;
let registry: Registry;

beforeAll(async () => {
  my = await startTestMonitor({ VOXBUS_MONITOR_TOKEN: token, VOXBUS_MONITOR_TRANSCRIPTS: "1" });
  const load = () => ({ connections: 1, speaking: 0 });
  registry = await createRegistry(my.bus, { id: "hall", epoch: "e1", address: "", load });
  const presence = {
    session: "s1",
    since: 0,
    remote: "",
    protocol: 1,
    features: { mcp: true },
    state: "active" as const,
  };
  await registry.enter("kitchen", presence, AbortSignal.timeout(5000));
  await my.bus.bucket(buckets.devices).put("kitchen", { lastSeen: 5, lastReason: "done", totalOnline: 7 });
  const schema = { type: "object", properties: { volume: { type: "integer" } } };
  const tools = [{ name: "self.audio_speaker.set_volume", description: "", inputSchema: schema }];
  openMcpDevice(my.bus, { device: "kitchen", session: "s1" }, ({ method }) => ({
    result: method === "tools/list" ? { tools } : { content: [{ type: "text", text: "true" }] },
  }));
  await vi.waitFor(
    async () => expect((await my.ask("GET", "/api/devices/kitchen", undefined, token)).status).toBe(200),
    5000,
  );
});
afterAll(async () => {
  await registry?.close();
  await my?.stop();
  rmSync(directory, { recursive: true });
});

/** The same curl, which fails on refusals and does not follow a stream for ever. */
const curl = `curl() {
  case " $* " in *" -N "*) command curl -s --fail-with-body --max-time 0.3 "$@" || [ $? = 28 ];;
  *) command curl -sS --fail-with-body --max-time 10 -w '\\n' "$@";; esac
}`;

const hasCurl = (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, "curl")));

test.skipIf(!hasCurl)("docs/api.md: every example works", async () => {
  const examples = blocks.slice(1).map((block) => block.replaceAll("\\\n", "").trim().split("\n"));
  expect(examples.flat().length).toBeGreaterThan(25);
  const script = ["set -e", curl, blocks[0], ...examples.flat()];
  const env = { PATH: process.env["PATH"], MONITOR: my.url, TOKEN: token };
  const ran = await promisify(execFile)("sh", ["-c", script.join("\n")], { env, cwd: directory }).catch(
    (error: unknown) => error as { readonly stdout: string; readonly stderr: string; readonly code: number },
  );
  expect({ ...ran, stdout: ran.stdout.slice(-2000) }).toEqual({ stderr: "", stdout: expect.any(String) });
  expect(ran.stdout).toContain('"state":"waiting"');
  expect(ran.stdout).toContain("set_volume");
  expect(ran.stdout).toContain('"counts":{"waiting":1},"devices":[{"device":"kitchen","result":"waiting"}]');
});
