import { text as readText } from "node:stream/consumers";
import { readdirSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { buckets } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";
import { signToken } from "./auth.ts";

let gateways: TestGateways;
const sockets = new Set<Socket>();

beforeAll(async () => {
  gateways = await openTestGateways();
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});
afterAll(() => gateways.stop());

interface Asked {
  readonly device?: string;
  readonly token?: string;
  readonly forwarded?: string | string[];
  readonly from?: string;
}

/** Asks for an upgrade. Gives 101, or the status and the name of the refusal. Accepted ones stay open. */
function upgrade(to: Running, { device = "kitchen", token, forwarded, from = "127.0.0.1" }: Asked = {}) {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Device-Id": device,
    "Client-Id": "c",
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    ...(forwarded === undefined ? {} : { "X-Forwarded-For": forwarded }),
  };
  const url = new URL("/xiaozhi/v1/", to.addresses["ota"]);
  return new Promise<string>((resolve, reject) => {
    request(url, { headers, localAddress: from, agent: false })
      .on("upgrade", (_response: IncomingMessage, socket: Socket) => {
        sockets.add(socket.on("error", () => undefined));
        resolve("101");
      })
      .on("response", (response: IncomingMessage) => {
        readText(response).then(
          (body) => resolve(`${response.statusCode} ${(JSON.parse(body) as { error: string }).error}`),
          reject,
        );
      })
      .on("error", reject)
      .end();
  });
}

/** Says hello on the newest accepted connection. */
function hello(): void {
  const text = Buffer.from('{"type":"hello"}');
  [...sockets].at(-1)?.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
}

const countDescriptors = () => readdirSync("/proc/self/fd").length;

describe("connections", () => {
  it.each([
    ["upgrades", "GET /xiaozhi/v1/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["requests", "GET /nothing HTTP/1.1\r\n\r\n"],
  ])("2,000 refused %s whose peer never closes: no descriptor stays, and a bystander gets in", async (_kind, head) => {
    const one = await gateways.start();
    const port = Number(new URL(one.addresses["ota"] ?? "").port);
    const before = countDescriptors();
    const refuse = async () => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => undefined);
      sockets.add(socket);
      socket.write(head);
      await once(socket, "data");
      return socket;
    };
    for (let n = 0; n < 2000; n += 200) {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await Promise.all(Array.from({ length: 200 }, refuse));
    }
    // Of the last 200, only the test's own ends are open.
    await expect.poll(() => countDescriptors() - before).toBeLessThan(210);
    expect(await upgrade(one, { from: "127.0.0.2" })).toBe("101");
  });

  it("1,500 silent connections of one address: the gateway keeps those that its limit allows, and answers it", async () => {
    const one = await gateways.start({ VOXBUS_MAX_PER_ADDRESS: "100" });
    const port = Number(new URL(one.addresses["ota"] ?? "").port);
    const before = countDescriptors();
    for (let n = 0; n < 1500; n += 1) {
      const socket = connect({ port, host: "127.0.0.1" }).on("error", () => undefined);
      sockets.add(socket.once("close", () => sockets.delete(socket)));
      await once(socket, "connect");
    }
    await expect.poll(() => countDescriptors() - before).toBeLessThan(2 * 300 + 10);
    expect(await upgrade(one)).toBe("101");
    expect((await readStats(one)).refusals["too-many"]).toBeGreaterThan(1000);
  });
});

describe("behind a proxy", () => {
  const fill = async (one: Running, asked: Asked, count = 3) => {
    const answers: string[] = [];
    for (let n = 0; n < count; n += 1) answers.push(await upgrade(one, { ...asked, device: `d${n}` }));
    return answers;
  };

  it("the limit per address applies to the address that a trusted proxy reports, not to the proxy", async () => {
    const one = await gateways.start({ VOXBUS_TRUSTED_PROXIES: "127.0.0.1", VOXBUS_MAX_PER_ADDRESS: "2" });
    for (const forwarded of ["198.51.100.1", "1.1.1.1, 198.51.100.2", "198.51.100.3:4711", "2001:db8::1"])
      expect(await fill(one, { forwarded })).toEqual(["101", "101", "503 too-many"]);
    expect(await upgrade(one, { forwarded: "::ffff:198.51.100.1" })).toBe("503 too-many");
    expect(await upgrade(one, { forwarded: ["1.1.1.1", "2001:db8::ffff"] })).toBe("503 too-many");
    expect(await fill(one, {})).toEqual(["101", "101", "101"]);
  });

  it("without a trusted proxy the header is not believed, on this machine neither", async () => {
    const one = await gateways.start({ VOXBUS_TRUSTED_PROXIES: "10.0.0.0/8", VOXBUS_MAX_PER_ADDRESS: "2" });
    expect(await fill(one, { forwarded: "198.51.100.1" })).toEqual(["101", "101", "503 too-many"]);
    expect(await upgrade(one, { forwarded: "198.51.100.2" })).toBe("503 too-many");
    expect(await upgrade(one, { from: "127.0.0.2" })).toBe("101");
  });

  it("presence shows the address that counts", async () => {
    const one = await gateways.start({ VOXBUS_TRUSTED_PROXIES: "127.0.0.1" });
    for (const [device, from, remote] of [
      ["proxied", "127.0.0.1", "198.51.100.7"],
      ["direct", "127.0.0.2", "127.0.0.2"],
    ] as const) {
      expect(await upgrade(one, { device, from, forwarded: "6.6.6.6, 198.51.100.7" })).toBe("101");
      hello();
      await expect.poll(() => gateways.view.online(device)?.remote).toBe(remote);
    }
  });

  it("an invalid network: the start fails and names the position", async () => {
    await expect(gateways.start({ VOXBUS_TRUSTED_PROXIES: "10.0.0.0/8, proxy.example" })).rejects.toThrow(
      "VOXBUS_TRUSTED_PROXIES: item 2 ",
    );
  });
});

describe("tokens", () => {
  const [key, oldKey] = ["a-key-of-sixteen-or-more", "an-old-key-of-sixteen"];
  const day = 86_400;
  const now = () => Math.floor(Date.now() / 1000);
  const sign = (device: string, seconds = now(), by = key) => signToken(by, "c", device, seconds);
  const hmac = { VOXBUS_AUTH: "hmac", VOXBUS_AUTH_KEY: key };

  it("guesses: an address is soon refused, whatever device it names; others are not", async () => {
    const one = await gateways.start({ VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS: "kitchen=0123456789abcdef" });
    const token = "0123456789abcdef";
    expect(await upgrade(one, { token })).toBe("101");
    const answers = new Map<string, number>();
    for (let n = 0; n < 500; n += 1) {
      const answer = await upgrade(one, { device: `d${n}`, token: `guess-${n}` });
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    expect([...answers.keys()]).toEqual(["401 unauthorized", "429 too-many-guesses"]);
    expect(answers.get("401 unauthorized")).toBeLessThan(60);
    expect(await upgrade(one, { token, from: "127.0.0.2" })).toBe("101");
    // The device was here before, so it is not taken for the one that guesses.
    expect(await upgrade(one, { token })).toBe("101");
    expect((await readStats(one)).refusals["too-many-guesses"]).toBeGreaterThan(400);
  });

  it("guesses: behind a proxy they count for the address that it reports", async () => {
    const one = await gateways.start({ ...hmac, VOXBUS_TRUSTED_PROXIES: "127.0.0.1" });
    for (let n = 0; n < 40; n += 1) await upgrade(one, { token: "guess", forwarded: "198.51.100.1" });
    expect(await upgrade(one, { token: sign("kitchen"), forwarded: "198.51.100.1" })).toBe("429 too-many-guesses");
    expect(await upgrade(one, { token: sign("kitchen"), forwarded: "198.51.100.2" })).toBe("101");
  });

  it("a right token for another device: is answered as a wrong one", async () => {
    const one = await gateways.start({ VOXBUS_AUTH: "token", VOXBUS_AUTH_TOKENS: "kitchen=0123456789abcdef" });
    const answer = async (device: string, token: string) => {
      const url = new URL("/xiaozhi/v1/", one.addresses["ota"]);
      const socket = connect(Number(url.port), url.hostname);
      sockets.add(socket);
      socket.write(
        `GET / HTTP/1.1\r\nDevice-Id: ${device}\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      return String((await once(socket, "data"))[0]);
    };
    expect(await answer("garage", "0123456789abcdef")).toBe(await answer("garage", "0123456789abcdeX"));
  });

  it("keys: the first signs, each is accepted, and one that was taken out ends its tokens", async () => {
    const both = await gateways.start({ ...hmac, VOXBUS_AUTH_KEY: `${key},${oldKey}`, VOXBUS_OTA_ALLOW: "*" });
    expect(await upgrade(both, { token: sign("kitchen", now(), oldKey) })).toBe("101");
    expect(await upgrade(both, { token: sign("kitchen", now(), key) })).toBe("101");
    const headers = { "Device-Id": "kitchen", "Client-Id": "c" };
    const answer = await fetch(both.addresses["ota"] ?? "", { headers });
    const { token } = ((await answer.json()) as { websocket: { token: string } }).websocket;
    expect(token).toBe(sign("kitchen", Number(token.split(".")[1])));
    const one = await gateways.start(hmac);
    expect(await upgrade(one, { token: sign("kitchen", now(), oldKey) })).toBe("401 unauthorized");
    expect(await upgrade(one, { token })).toBe("101");
  });

  it.each([
    ["short", 1],
    ["a-key-of-sixteen-or-more,short", 2],
    ["a-key-of-sixteen-or-more,", 2],
  ])("keys %s: the start fails and names the position", async (VOXBUS_AUTH_KEY, position) => {
    await expect(gateways.start({ ...hmac, VOXBUS_AUTH_KEY })).rejects.toThrow(`VOXBUS_AUTH_KEY: key ${position} `);
  });

  it("an hmac token: is valid as long as its device is seen within its time, and its key is there", async () => {
    const one = await gateways.start({ ...hmac, VOXBUS_AUTH_TTL_S: String(30 * day) });
    const seen = (device: string, days: number) =>
      gateways.bus
        .bucket(buckets.devices)
        .put(device, { lastSeen: Date.now() - days * day * 1000, lastReason: "gone", totalOnline: 1 });
    await seen("used", 29);
    await seen("unused", 31);
    const old = now() - 400 * day;
    expect(await upgrade(one, { device: "used", token: sign("used", old) })).toBe("101");
    expect(await upgrade(one, { device: "unused", token: sign("unused", old) })).toBe("401 unauthorized");
    expect(await upgrade(one, { device: "unknown", token: sign("unknown", old) })).toBe("401 unauthorized");
    expect(await upgrade(one, { device: "used", token: sign("used", old, oldKey) })).toBe("401 unauthorized");
    expect(await upgrade(one, { device: "used", token: sign("used", now() + 600) })).toBe("401 unauthorized");
  });
});
