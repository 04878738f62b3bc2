import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { findFreePort, startOnOddHost } from "@voxbus/testing";
import { afterAll, expect, test } from "vitest";
import { freePorts } from "./launcher.ts";

const programs = ["apps/gateway", "apps/asr", "apps/tts", "apps/dialogue", "apps/monitor", "examples/echo"];
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts a program that reaches no NATS, waits until it says so or until `tried` resolves, and sends SIGTERM. */
async function stopAtStart(program: string, nats: string, tried?: Promise<unknown>) {
  const main = fileURLToPath(new URL(`../../../${program}/dist/main.js`, import.meta.url));
  const env = { ...freePorts, VOXBUS_ECHO_OPS_PORT: "0", VOXBUS_NATS_URL: nats, VOXBUS_LOG_FORMAT: "json" };
  const started = startOnOddHost([process.execPath, main], { env });
  children.push(started.child);
  await (tried ?? started.awaitLine(/NATS unavailable, retrying/));
  return started.end("SIGTERM");
}

test.each(programs)("%s: SIGTERM ends it while nothing listens on NATS's port", async (program) => {
  const nats = `nats://127.0.0.1:${await findFreePort()}`;
  const { code, took } = await stopAtStart(program, nats);
  expect(code).toBe(0);
  expect(took).toBeLessThan(1000);
});

test.each(programs)("%s: SIGTERM ends it while what listens on NATS's port says nothing", async (program) => {
  const server = createServer((socket) => socket.on("error", () => undefined));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const { code, took } = await stopAtStart(program, `nats://127.0.0.1:${port}`, once(server, "connection"));
  expect(code).toBe(0);
  expect(took).toBeLessThan(1000);
  server.close();
});
