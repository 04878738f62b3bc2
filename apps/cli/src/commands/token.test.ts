import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import { hashSecret } from "@voxbus/service";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { runCliHere } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const run = (...args: readonly string[]) => runCliHere(["token", ...args], { VOXBUS_NATS_URL: nats.url });
const find = async (device: string) => (await bus.bucket(buckets.registry).get(device))?.value;

test("token issue: prints a token whose hash is in the registry, and keeps the one before and the rest", async () => {
  await bus.bucket(buckets.registry).put("kitchen", { since: 5, name: "Kitchen" });
  const first = (await run("issue", "kitchen", "--days", "1")).stdout.trim();
  const { stdout, stderr } = await run("issue", "kitchen", "--json");
  const { token: second, until } = JSON.parse(stdout) as { readonly token: string; readonly until: number };
  expect(stderr).not.toContain(second);
  await run("issue", "hall");
  const third = (await run("issue", "kitchen")).stdout.trim();
  const known = await find("kitchen");
  expect(known).toMatchObject({ since: 5, name: "Kitchen" });
  expect(known?.tokens?.map(({ hash }) => hash)).toEqual([third, second].map(hashSecret));
  expect(known?.tokens?.[1]?.until).toBe(until);
  expect(new Set([first, second, third]).size).toBe(3);
  expect(Math.abs(until - Date.now() - 365 * 86_400_000)).toBeLessThan(600_000);
});

test("token revoke: removes the tokens, and with --disable refuses the device", async () => {
  await run("issue", "porch");
  expect(await run("revoke", "porch")).toMatchObject({ code: 0, stdout: "porch: 1 token revoked\n" });
  expect(await find("porch")).toEqual({ since: expect.any(Number) });
  expect((await run("revoke", "nowhere")).stdout).toContain("0 tokens revoked");
  expect(await find("nowhere")).toBeUndefined();
  expect((await run("revoke", "porch", "--disable")).code).toBe(0);
  expect(await find("porch")).toMatchObject({ allowed: false });
  const refused = await run("issue", "porch");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("porch is disabled")]);
});

test("token verify: asks a gateway as the device would, and says what it answers", async () => {
  const seen: unknown[] = [];
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const { authorization, "device-id": device, "client-id": client } = request.headers;
    seen.push([authorization, device, client]);
    if (authorization === "Bearer good") sockets.handleUpgrade(request, socket, head, () => undefined);
    else socket.end(`HTTP/1.1 ${authorization === "Bearer off" ? 403 : 401} No\r\nconnection: close\r\n\r\n`);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const to = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/xiaozhi/v1/`;
  const verify = (secret: string, ...more: readonly string[]) =>
    runCliHere(["token", "verify", "kitchen", "--to", to, "--client", "c1", ...more], {}, `${secret}\n`);
  try {
    expect(await verify("good")).toEqual({ code: 0, stdout: "accepted for kitchen\n", stderr: "" });
    expect(JSON.parse((await verify("bad", "--json")).stdout)).toMatchObject({ device: "kitchen", accepted: false });
    expect(await verify("bad")).toMatchObject({ code: 1, stdout: expect.stringContaining("refused for kitchen") });
    expect((await verify("off")).stdout).toContain("disabled");
    expect((await verify("")).code).toBe(2);
    expect(seen[0]).toEqual(["Bearer good", "kitchen", "c1"]);
  } finally {
    server.close();
    sockets.close();
  }
  const away = await verify("good");
  expect([away.code, away.stderr]).toEqual([1, expect.stringContaining("cannot be reached (ECONNREFUSED)")]);
});

test.each([
  [["issue"], /DEVICE is missing/],
  [["isue", "kitchen"], /is one of issue, verify, revoke/],
  [["issue", "kitchen", "--days", "0"], /--days is a number/],
  [["issue", "a.b"], /device-id must be/],
  [["verify", "kitchen", "--to", "http://x"], /--to is a ws:/],
])("token: %j is wrong usage", async (args, problem) => {
  const { code, stderr } = await run(...args);
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});
