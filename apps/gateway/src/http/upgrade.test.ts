import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import type { Running } from "@voxbus/subscriber";
import { leave, openTestDevice } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { addressOf, openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  one = await gateways.start({ VOXBUS_GATEWAY_ID: "one", VOXBUS_HELLO_TIMEOUT_MS: "400" });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

describe("upgrade", () => {
  it.each([
    [
      "headers, upper-case MAC",
      "",
      { "Device-Id": "AA:BB:CC:DD:EE:02", Authorization: "Bearer None" },
      "aa:bb:cc:dd:ee:02",
    ],
    ["query of a web page", "?device-id=web_1&client-id=c&authorization=Bearer+t", {}, "web_1"],
    ["query in another case", "?Device-ID=web_2", {}, "web_2"],
  ])("identity: %s", async (_name, query, headers, id) => {
    const device = await openTestDevice(`${one.addresses["device"]}${query}`, { headers });
    await expect.poll(() => gateways.view.online(id)).not.toBeUndefined();
    await leave(device);
  });

  it.each([
    ["no id", {}, 400],
    ["*", { "Device-Id": "*" }, 400],
    [">", { "Device-Id": ">" }, 400],
    ["a.b", { "Device-Id": "a.b" }, 400],
    ["65 characters", { "Device-Id": "a".repeat(65) }, 400],
    ["empty", { "Device-Id": "" }, 400],
    ["a space", { "Device-Id": "a b" }, 400],
    ["Protocol-Version 4", { "Device-Id": "a", "Protocol-Version": "4" }, 400],
    ["a page of another origin", { "Device-Id": "a", Origin: "http://evil.example" }, 403],
    ["a foreign name that points here", { "Device-Id": "a", Origin: "http://evil.example", Host: "evil.example" }, 403],
  ])("refused upgrade: %s", async (_name, headers, status) => {
    await expect(openTestDevice(addressOf(one), { headers })).rejects.toThrow(`HTTP ${status}`);
  });

  it("refused upgrade: an unknown path is 404", async () => {
    const base = addressOf(one).replace("/xiaozhi/v1/", "/elsewhere");
    await expect(openTestDevice(base, { id: "a" })).rejects.toThrow("HTTP 404");
  });

  it("refused upgrade: a WebSocket request without a proper key is answered and counted by name", async () => {
    const before = (await readStats(one)).refusals["bad-request"] ?? 0;
    const { port } = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(port), "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nDevice-Id: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"); // prettier-ignore
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [^]*"error":"bad-request"/);
    expect((await readStats(one)).refusals["bad-request"]).toBe(before + 1);
  });

  it.each(["", "Expect: tea\r\n"])("a request without Host, %j: is answered as any other", async (header) => {
    const { port } = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(port), "127.0.0.1");
    socket.write(`GET /xiaozhi/ota/ HTTP/1.1\r\nDevice-Id: a.b\r\n${header}\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [^]*bad-device-id/);
  });
});
