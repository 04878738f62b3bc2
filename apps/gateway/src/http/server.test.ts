import { createHmac } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import type { Running } from "@voxbus/subscriber";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { addressOf, openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  one = await gateways.start();
});
afterAll(() => gateways.stop());

/** Asks for a device's configuration, with a Host header of the test's choice. */
function readStatus(service: Running, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const all = { "Device-Id": "kitchen", ...headers };
    const asked = request(service.addresses["ota"] ?? "", { headers: all }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
}

describe("authentication", () => {
  const key = "a-key-of-sixteen-or-more";
  const token = (id: string, seconds: number) =>
    `${createHmac("sha256", key).update(`c|${id}|${seconds}`).digest("base64url")}.${seconds}`;

  it("hmac: the ecosystem's token is accepted; a wrong or foreign one is not; OTA hands it out", async () => {
    const safe = await gateways.start({ VOXBUS_AUTH: "hmac", VOXBUS_AUTH_KEY: key, VOXBUS_OTA_ALLOW: "kitchen" });
    const now = Math.floor(Date.now() / 1000);
    const tryToken = (id: string, value: string) =>
      gateways.connect(safe, { id, headers: { "Client-Id": "c", Authorization: `Bearer ${value}` } });
    await tryToken("kitchen", token("kitchen", now));
    for (const value of [token("garage", now), "nonsense", ""]) {
      await expect(tryToken("kitchen", value)).rejects.toThrow("HTTP 401");
    }
    const ask = async (id: string) => {
      const response = await fetch(safe.addresses["ota"] ?? "", {
        method: "POST",
        headers: { "Device-Id": id, "Client-Id": "c" },
        body: "{}",
      });
      return ((await response.json()) as { websocket: { token: string } }).websocket.token;
    };
    expect(await ask("garage")).toBe("");
    await tryToken("kitchen", await ask("kitchen"));
  });

  it("token: a bound token speaks for its device only, an unbound one for any", async () => {
    const [mine, anyone] = ["mine-0123456789ab", "anyone+0123456789=="];
    const tokens = `AA:BB:CC:DD:EE:FF=${mine},${anyone}`;
    const safe = await gateways.start({ VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS: tokens });
    const tryToken = (id: string, value: string) =>
      gateways.connect(safe, { id, headers: { Authorization: `Bearer ${value}` } });
    await tryToken("aa:bb:cc:dd:ee:ff", mine);
    await tryToken("kitchen", anyone);
    await expect(tryToken("kitchen", mine)).rejects.toThrow("HTTP 401");
    await expect(tryToken("kitchen", "other")).rejects.toThrow("HTTP 401");
  });

  it("OTA: a listed device gets its own token, in whatever case its id is listed, and never an unbound one", async () => {
    const tokens = "AA:BB:CC:DD:EE:FF=mine-0123456789ab,anyone-0123456789";
    const allow = "AA:BB:CC:DD:EE:FF, kitchen";
    const safe = await gateways.start({ VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS: tokens, VOXBUS_OTA_ALLOW: allow });
    const tokenOf = async (id: string) => {
      const response = await fetch(safe.addresses["ota"] ?? "", { headers: { "Device-Id": id } });
      return ((await response.json()) as { websocket: { token: string } }).websocket.token;
    };
    expect(await tokenOf("aa:bb:cc:dd:ee:ff")).toBe("mine-0123456789ab");
    expect(await tokenOf("AA:BB:CC:DD:EE:FF")).toBe("mine-0123456789ab");
    expect(await tokenOf("kitchen")).toBe("");
  });

  it.each([
    ["kitchen=0123456789abcdef,short", "VOXBUS_AUTH_TOKENS: token 2 "],
    ["0123456789abcdef,", "VOXBUS_AUTH_TOKENS: token 2 "],
    ["aa:bb:cc:dd:ee:ff=", "VOXBUS_AUTH_TOKENS: token 1 "],
    ["0123456789abcdef,,kitchen=0123456789abcde", "VOXBUS_AUTH_TOKENS: token 3 "],
  ])("tokens %s: the start fails and names the position", async (VOXBUS_AUTH_TOKENS, problem) => {
    await expect(gateways.start({ VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS })).rejects.toThrow(problem);
  });

  it("an invalid id in VOXBUS_OTA_ALLOW: the start fails and names the position", async () => {
    await expect(gateways.start({ VOXBUS_OTA_ALLOW: "kitchen,a.b" })).rejects.toThrow("VOXBUS_OTA_ALLOW: item 2 ");
  });

  it("beyond loopback: the choice must be explicit", async () => {
    await expect(gateways.start({ VOXBUS_GATEWAY_HOST: "0.0.0.0" })).rejects.toThrow("VOXBUS_AUTH");
    await expect(gateways.start({ VOXBUS_AUTH: "hmac" })).rejects.toThrow("VOXBUS_AUTH_KEY");
    for (const name of ["VOXBUS_AUTH_KEY", "VOXBUS_AUTH_TOKENS"]) {
      await expect(gateways.start({ [name]: "0123456789abcdef" })).rejects.toThrow(`must be set when ${name} is`);
    }
    await gateways.start({ VOXBUS_GATEWAY_HOST: "0.0.0.0", VOXBUS_AUTH: "none" });
  });
});

describe("OTA", () => {
  const ask = (init: RequestInit = {}, path = "") =>
    fetch(`${one.addresses["ota"]}${path}`, {
      ...init,
      headers: { "Device-Id": "kitchen", ...(init.headers as Record<string, string> | undefined) },
    });

  it("configuration: GET and POST give this gateway's address, server time, and no update", async () => {
    for (const init of [{}, { method: "POST", body: JSON.stringify({ application: { version: "2.4.2" } }) }]) {
      const response = await ask(init);
      expect(response.status).toBe(200);
      const body = (await response.json()) as { server_time: { timestamp: number } };
      expect(body).toEqual({
        server_time: { timestamp: expect.any(Number), timezone_offset: expect.any(Number) },
        firmware: { version: "body" in init ? "2.4.2" : "0.0.0", url: "" },
        websocket: { url: addressOf(one), token: "", version: 1 },
      });
      expect(Math.abs(body.server_time.timestamp - Date.now())).toBeLessThan(60_000);
    }
  });

  it("activate: is done at once; a preflight is answered; a malformed request is refused by name", async () => {
    expect((await ask({ method: "POST", body: "{}" }, "activate")).status).toBe(200);
    const origin = new URL(one.addresses["ota"] ?? "").origin;
    const preflight = await ask({ method: "OPTIONS", headers: { Origin: origin } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("device-id");
    const refused = async (init: RequestInit) => {
      const response = await ask(init);
      return [response.status, ((await response.json()) as { error: string }).error];
    };
    expect(await refused({ method: "POST", body: "{" })).toEqual([400, "bad-body"]);
    expect(await refused({ method: "POST", body: "x".repeat(70_000) })).toEqual([413, "body-too-big"]);
    expect(await refused({ method: "DELETE" })).toEqual([405, "method-not-allowed"]);
    expect(await refused({ headers: { "Device-Id": "a.b" } })).toEqual([400, "bad-device-id"]);
    expect(await refused({ headers: { Origin: "http://evil.example" } })).toEqual([403, "forbidden"]);
  });

  it("a browser that asks under a foreign name that points here: 403; a device may use any name", async () => {
    const status = (headers: Readonly<Record<string, string>>) => readStatus(one, headers);
    const agent = { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)" };
    expect(await status({ Host: "evil.example", ...agent })).toBe(403);
    expect(await status({ Host: "evil.example:8000", "Sec-Fetch-Site": "same-origin" })).toBe(403);
    expect(await status({ Host: "localhost:8000", ...agent })).toBe(200);
    expect(await status({ Host: "voxbus.example" })).toBe(200);
  });

  it("a page behind a proxy: passes if it comes from the host that a trusted proxy was asked for", async () => {
    const names = { VOXBUS_HOSTS: "voice.example" };
    const trusting = await gateways.start({ ...names, VOXBUS_TRUSTED_PROXIES: "127.0.0.1" });
    const strict = await gateways.start(names);
    const proxy = { Host: "127.0.0.1:8000", "X-Forwarded-Host": "voice.example" };
    const page = { ...proxy, Origin: "https://voice.example:8443" };
    expect(await readStatus(trusting, page)).toBe(200);
    expect(await readStatus(strict, page)).toBe(403);
    expect(await readStatus(trusting, { ...proxy, Origin: "https://evil.example" })).toBe(403);
    expect(await readStatus(trusting, { ...proxy, Origin: "https://127.0.0.1" })).toBe(403);
    const agent = { "User-Agent": "Mozilla/5.0" };
    expect(await readStatus(trusting, { ...proxy, ...agent })).toBe(200);
    expect(await readStatus(trusting, { ...proxy, ...agent, Host: "evil.example" })).toBe(403);
    expect(await readStatus(trusting, { ...proxy, ...agent, "X-Forwarded-Host": "evil.example" })).toBe(403);
  });

  it("a body that is cut off: is counted as a bad request, and the gateway goes on", async () => {
    const before = (await readStats(one)).refusals["bad-request"] ?? 0;
    const { port } = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(port), "127.0.0.1");
    await once(socket, "connect");
    socket.write("POST /xiaozhi/ota/ HTTP/1.1\r\nHost: a\r\nDevice-Id: a\r\nContent-Length: 50\r\n\r\n{");
    // Its header was read once the configuration is asked for behind it and answered.
    await ask();
    socket.resetAndDestroy();
    await expect.poll(async () => (await readStats(one)).refusals["bad-request"] ?? 0).toBeGreaterThan(before);
    await ask();
    expect((await readStats(one)).refusals["bad-request"]).toBe(before + 1);
  });
});

describe("addresses opened by others than devices", () => {
  const open = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(new URL(path, one.addresses["ota"]), init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  it.each(["/xiaozhi/ota/", "/xiaozhi/ota", "/xiaozhi/ota/?lang=en"])(
    "%s in a browser: a sentence says what it is, and where devices are sent",
    async (path) => {
      const { status, headers, text } = await open(path, { headers: { "User-Agent": "Mozilla/5.0" } });
      expect(status).toBe(200);
      expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(text).toMatch(/^This is the OTA address of a voxbus gateway\. /);
      expect(text).toContain(addressOf(one));
    },
  );

  it("OTA without a device id, but sent as a device does: 400, as before", async () => {
    expect((await open("/xiaozhi/ota/", { method: "POST", body: "{}" })).status).toBe(400);
    expect((await open("/xiaozhi/ota/activate", { method: "POST", body: "{}" })).status).toBe(400);
  });

  it.each<[string, string, RequestInit]>([
    ["a browser", "/", { headers: { "User-Agent": "Mozilla/5.0" } }],
    ["a device without an upgrade", "/xiaozhi/v1/", { headers: { "Device-Id": "kitchen" } }],
    ["a proxy that keeps Upgrade alone", "/xiaozhi/v1", { headers: { "Sec-WebSocket-Protocol": "mqtt" } }],
    ["a device whose OTA address is the WebSocket's", "/xiaozhi/v1/", { method: "POST", body: "{}" }],
  ])("the WebSocket's address, opened by %s: 426 with the reason", async (_, path, init) => {
    const { status, headers, text } = await open(path, init);
    expect(status).toBe(426);
    expect(headers.get("upgrade")).toBe("websocket");
    expect(JSON.parse(text)).toEqual({
      error: "upgrade-required",
      message: expect.stringMatching(/proxy .*Upgrade and Connection.* \/xiaozhi\/ota\//) as string,
    });
  });

  it("a proxy that drops the header Upgrade: the log says so, once", async () => {
    const warn = vi.spyOn(one.log, "warn");
    const statusOf = async (headers: Record<string, string>) => (await open("/xiaozhi/v1/", { headers })).status;
    expect(await statusOf({})).toBe(426);
    expect(warn).not.toHaveBeenCalled();
    for (let i = 0; i < 3; i += 1) expect(await statusOf({ "Sec-WebSocket-Version": "13" })).toBe(426);
    expect(warn.mock.calls).toEqual([[{ remote: "127.0.0.1" }, "upgrade header dropped by a proxy"]]);
    warn.mockRestore();
  });
});
