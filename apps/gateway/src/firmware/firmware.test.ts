import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { createNoopMeter } from "@opentelemetry/api";
import { silentLog } from "@voxbus/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { requestUrl } from "../http/identity.ts";
import { createRefuser } from "../http/refusals.ts";
import { createCounters } from "../observe/counters.ts";
import { checkFolder } from "./catalog.ts";
import type { DownloadLimits } from "./downloads.ts";
import { openFirmware, type Firmware, type UpdateStep } from "./firmware.ts";

const scanMs = 10;
let folder: string;
let firmware: Firmware;
let server: Server;
let port: number;
let steps: (UpdateStep & { readonly device: string })[];

const content = Buffer.alloc(300_000, "voxbus");
/** Makes an image that describes itself as ESP32 images do. */
const describe = (version: string, size = content.length) => {
  const image = Buffer.alloc(size, "x");
  image.writeUInt32LE(0xab_cd_54_32, 32);
  image.fill(0, 48, 80).write(version, 48);
  return image;
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "voxbus-firmware-"));
  await mkdir(join(folder, "box"));
});
afterEach(async () => {
  firmware?.close();
  server?.closeAllConnections();
  server?.close();
  await rm(folder, { recursive: true });
});

const put = (name: string, data: Buffer | string = content) => writeFile(join(folder, name), data);
const offer = (version = "1.0.0", device = "aa:bb", client = "own") =>
  firmware.offer({ device, client, board: "box", groups: [], version });
const until = (version: string | undefined) =>
  vi.waitFor(() => expect(offer()?.version).toBe(version), { timeout: 10_000 });

async function start(more: Partial<DownloadLimits> = {}): Promise<void> {
  steps = [];
  const report = (device: string, step: UpdateStep) => void steps.push({ device, ...step });
  firmware = await openFirmware(folder, {
    log: silentLog,
    meter: createNoopMeter(),
    groupOf: ({ headers }) => headers.host,
    report,
    scanMs,
    limits: { downloads: 100, downloadsPerAddress: 100, downloadMs: 60_000, ...more },
  });
  const refuser = createRefuser(createCounters(), silentLog);
  server = createServer((asked, response) => {
    firmware.answer(asked, response, requestUrl(asked)).catch((error: unknown) => refuser.request(response, error));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  ({ port } = server.address() as AddressInfo);
}

async function get(path: string, headers: Record<string, string> = {}, method = "GET") {
  const asked = request({ port, path, headers, method, agent: false }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
}

it("an image: is offered with an address without a colon, and downloaded whole, in parts, and as a head", async () => {
  await put("box/2.0.0.bin");
  await start();
  await until("2.0.0");
  const { path } = offer()!;
  expect(path).toMatch(/^\/xiaozhi\/firmware\/box\/2\.0\.0\.bin\?device=aa%3Abb&installer=[\w-]{43}$/);
  const whole = await get(path);
  expect([whole.status, whole.headers["content-length"]]).toEqual([200, String(content.length)]);
  expect(whole.body.equals(content)).toBe(true);
  const part = await get(path, { Range: "bytes=299990-" });
  expect([part.status, part.headers["content-range"]]).toEqual([206, "bytes 299990-299999/300000"]);
  expect(part.body.equals(content.subarray(299_990))).toBe(true);
  const tag = String(whole.headers.etag);
  expect((await get(path, { Range: "bytes=0-9", "If-Range": tag })).status).toBe(206);
  expect((await get(path, { Range: "bytes=0-9", "If-Range": '"other"' })).status).toBe(200);
  expect((await get(path, { Range: "bytes=300000-" })).status).toBe(416);
  const head = await get(path, {}, "HEAD");
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "300000", 0]);
  expect((await get(path, {}, "POST")).status).toBe(405);
});

it("progress: is reported in steps of ten percent, up to the end", async () => {
  await put("box/2.0.0.bin");
  await start();
  await until("2.0.0");
  steps.length = 0;
  await get(offer()!.path);
  await vi.waitFor(() =>
    expect(steps.at(-1)).toEqual({ device: "aa:bb", version: "2.0.0", state: "downloaded", percent: 100 }),
  );
  const percents = steps.map(({ percent }) => percent);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect(steps.filter(({ state }) => state === "downloading").length).toBeGreaterThan(1);
});

it("a device that installs an image in vain: is no longer offered it after three downloads", async () => {
  await put("box/2.0.0.bin");
  await start();
  await until("2.0.0");
  const { path } = offer()!;
  for (let i = 0; i < 3; i += 1) await get(path);
  await vi.waitFor(() => expect(offer()).toBeUndefined());
  expect(offer("1.0.0", "other")?.version).toBe("2.0.0");
});

it("a stranger: keeps no image from a device by downloading it in that device's name", async () => {
  await put("box/2.0.0.bin");
  await start();
  await until("2.0.0");
  const paths = [offer("1.0.0", "aa:bb", "stranger")!.path, "/xiaozhi/firmware/box/2.0.0.bin?device=aa%3Abb"];
  for (const path of paths) for (let i = 0; i < 3; i += 1) await get(path);
  await vi.waitFor(() => expect(offer("1.0.0", "aa:bb", "stranger")).toBeUndefined());
  expect(offer()?.version).toBe("2.0.0");
});

it("images that come, go and change: are noticed without a restart, and a file that grows is not offered", async () => {
  await start();
  expect(offer()).toBeUndefined();
  await put("box/2.0.0.bin");
  await until("2.0.0");
  await put("box/new.tmp");
  await rename(join(folder, "box/new.tmp"), join(folder, "box/2.1.0.bin"));
  await until("2.1.0");
  let size = content.length;
  const growing = setInterval(() => void truncate(join(folder, "box/2.1.0.bin"), (size += 1)), scanMs / 2);
  await until("2.0.0");
  clearInterval(growing);
  await until("2.1.0");
  await rm(join(folder, "box"), { recursive: true });
  await until(undefined);
});

it("what is no image: is ignored by its name, its size, or the version in it", async () => {
  await put("box/v2.0.0.bin");
  await put("box/3.0.0.txt");
  await put("box/4.0.0.bin", "");
  await put("box/5.0.0.bin", describe("4.9.9"));
  await put("9.0.0.bin");
  await put("box/6.0.0.bin");
  await truncate(join(folder, "box/6.0.0.bin"), 2 * 1024 ** 3);
  await put("box/1.5.0.bin", describe("1.5.0"));
  await start();
  await until("1.5.0");
});

it("rules that cannot be read: nothing is offered until they can, and the start says what is wrong", async () => {
  await put("box/2.0.0.bin");
  await start();
  await until("2.0.0");
  await put("firmware.json", "{");
  await until(undefined);
  expect(() => checkFolder(folder)).toThrow(/^VOXBUS_FIRMWARE_DIR: .*firmware\.json is not JSON$/);
  await put("firmware.json", JSON.stringify({ "box/2.0.0.bin": { share: 200 } }));
  expect(() => checkFolder(folder)).toThrow(/firmware\.json: box\/2\.0\.0\.bin\.share: /);
  await put("firmware.json", JSON.stringify({ "box/2.0.0.bin": { shares: 20 } }));
  expect(() => checkFolder(folder)).toThrow(/shares/);
  await put("firmware.json", JSON.stringify({ "*": { share: 0 } }));
  expect(() => checkFolder(folder)).not.toThrow();
  await put("firmware.json", "{}");
  await until("2.0.0");
  expect(() => checkFolder(join(folder, "gone"))).toThrow(/^VOXBUS_FIRMWARE_DIR: /);
});

it.each([
  "../firmware.json",
  "%2e%2e/secret",
  "box/../../etc/passwd",
  "box/..%2f..%2fetc%2fpasswd",
  "box/3.0.0.bin",
  "box",
  "",
  "box/2.0.0.bin/",
  "box/2.0.0.bin%00",
])("the path %s: leads to no file", async (path) => {
  await put("box/2.0.0.bin");
  await put("secret", "secret");
  await start();
  await until("2.0.0");
  const socket = connect(port, "127.0.0.1");
  socket.end(`GET /xiaozhi/firmware/${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  expect((await buffer(socket)).toString("latin1")).toMatch(/^HTTP\/1\.1 404 /);
});

it("a device that reads slowly: holds up no one, and is cut off when its time is up", async () => {
  await put("box/2.0.0.bin", Buffer.alloc(30_000_000));
  await start({ downloadMs: 1500 });
  await until("2.0.0");
  const { path } = offer()!;
  const slow = connect(port, "127.0.0.1");
  slow.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await once(slow, "readable");
  slow.read(1);
  slow.pause();
  const closed = once(slow, "close");
  expect((await get(path.replace("aa", "cc"), { Range: "bytes=0-99" })).body.length).toBe(100);
  await vi.waitFor(() => expect(steps.at(-1)?.state).toBe("broken"), { timeout: 10_000 });
  slow.resume().on("error", () => undefined);
  await closed;
});

it("as many downloads as may run at once, in all or of one address: one more is refused, and in all none is offered", async () => {
  await put("box/2.0.0.bin", Buffer.alloc(30_000_000));
  await start({ downloads: 3, downloadsPerAddress: 2 });
  await until("2.0.0");
  const { path } = offer()!;
  const begin = async (host: string) => {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(socket, "readable");
    return socket;
  };
  const slow = [await begin("a"), await begin("a")];
  expect((await get(path, { Host: "a" })).status).toBe(503);
  expect(offer()?.version).toBe("2.0.0");
  slow.push(await begin("b"));
  await vi.waitFor(() => expect(offer()).toBeUndefined(), { timeout: 10_000 });
  const refused = await get(path);
  expect([refused.status, (JSON.parse(refused.body.toString()) as { error: string }).error]).toEqual([503, "too-many"]);
  for (const socket of slow) socket.destroy();
  await until("2.0.0");
});
