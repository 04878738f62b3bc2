import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { findFreePort } from "@voxbus/testing";
import { afterAll, expect, test } from "vitest";

const programs = ["apps/gateway", "apps/asr", "apps/tts", "apps/dialogue", "apps/monitor", "examples/echo"];
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts a program that reaches no NATS, waits until it says so or until `tried` resolves, and sends SIGTERM. */
async function stopAtStart(program: string, nats: string, tried?: Promise<unknown>) {
  const main = fileURLToPath(new URL(`../../../${program}/dist/main.js`, import.meta.url));
  const ops = ["GATEWAY", "ASR", "TTS", "DIALOGUE", "MONITOR", "ECHO"].map((name) => [`VOXBUS_${name}_OPS_PORT`, "0"]);
  const env = {
    ...process.env,
    ...Object.fromEntries(ops),
    VOXBUS_GATEWAY_PORT: "0",
    VOXBUS_MONITOR_PORT: "0",
    VOXBUS_NATS_URL: nats,
    VOXBUS_LOG_FORMAT: "json",
  };
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const exited = once(child, "exit");
  const logged = (async () => {
    for await (const chunk of child.stdout) if (String(chunk).includes("NATS unavailable, retrying")) return;
  })();
  await (tried ?? logged);
  const asked = performance.now();
  child.kill("SIGTERM");
  const [code, signal] = (await exited) as [number | null, string | null];
  return { program, code, signal, ms: performance.now() - asked };
}

test.each(programs)("%s: SIGTERM ends it while nothing listens on NATS's port", async (program) => {
  const nats = `nats://127.0.0.1:${await findFreePort()}`;
  const { code, ms } = await stopAtStart(program, nats);
  expect(code).toBe(0);
  expect(ms).toBeLessThan(1000);
});

test.each(programs)("%s: SIGTERM ends it while what listens on NATS's port says nothing", async (program) => {
  const server = createServer((socket) => socket.on("error", () => undefined));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const { code, ms } = await stopAtStart(program, `nats://127.0.0.1:${port}`, once(server, "connection"));
  expect(code).toBe(0);
  expect(ms).toBeLessThan(1000);
  server.close();
});
