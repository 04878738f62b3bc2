import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buckets, defaultProfile } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { openTestGateways, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let folder: string;

beforeAll(async () => {
  gateways = await openTestGateways();
  folder = await mkdtemp(join(tmpdir(), "voxbus-ota-"));
});
afterAll(async () => {
  await gateways.stop();
  await rm(folder, { recursive: true });
});

interface Configuration {
  readonly server_time: { readonly timezone_offset: number };
  readonly firmware: { readonly version: string; readonly url: string; readonly force?: number };
  readonly websocket: { readonly url: string };
}

async function ask(service: Running, device: string, body: object = {}): Promise<Configuration> {
  const headers = { "Device-Id": device, "Client-Id": "c" };
  const response = await fetch(service.addresses["ota"] ?? "", { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()) as Configuration;
}

it("a template of the gateways' names: devices are sent to each gateway with room, and to none that has stopped", async () => {
  const env = { VOXBUS_PUBLIC_URL: "wss://{gateway}.example/xiaozhi/v1/" };
  const one = await gateways.start({ ...env, VOXBUS_GATEWAY_ID: "one" });
  const two = await gateways.start({ ...env, VOXBUS_GATEWAY_ID: "two" });
  await gateways.start({ ...env, VOXBUS_GATEWAY_ID: "full", VOXBUS_MAX_CONNECTIONS: "1" });
  const urls = async () => {
    const asked = await Promise.all(Array.from({ length: 64 }, (_, index) => ask(one, `d${index}`)));
    return [...new Set(asked.map(({ websocket }) => websocket.url))].sort();
  };
  const urlOf = (name: string) => `wss://${name}.example/xiaozhi/v1/`;
  await vi.waitFor(async () => expect(await urls()).toEqual([urlOf("one"), urlOf("two")]), { timeout: 5000 });
  await two.stop("quick");
  await vi.waitFor(async () => expect(await urls()).toEqual([urlOf("one")]), { timeout: 5000 });
});

it("no gateway has room: the one that was asked names itself", async () => {
  const env = {
    VOXBUS_PUBLIC_URL: "wss://{gateway}.example/",
    VOXBUS_GATEWAY_ID: "small",
    VOXBUS_MAX_CONNECTIONS: "1",
  };
  const small = await gateways.start({ ...env, VOXBUS_NATS_PREFIX: "small" });
  expect((await ask(small, "a")).websocket.url).toBe("wss://small.example/");
});

it.each(["wss://{gateway.example/", "wss://{name}.example/", "http://{gateway}.example/", "{gateway}"])(
  "VOXBUS_PUBLIC_URL=%s: the start fails and says what is expected",
  async (url) => {
    await expect(gateways.start({ VOXBUS_PUBLIC_URL: url })).rejects.toThrow(/^VOXBUS_PUBLIC_URL: .* \{gateway\}/);
  },
);

it("time zone: is the device's own, else that of all devices, else that of the machine", async () => {
  const one = await gateways.start();
  const profiles = gateways.bus.bucket(buckets.profiles);
  const offset = async (device: string) => (await ask(one, device)).server_time.timezone_offset;
  expect(await offset("hall")).toBe(0 - new Date().getTimezoneOffset());
  await profiles.put("hall", { timeZone: "Asia/Kathmandu" });
  await vi.waitFor(async () => expect(await offset("hall")).toBe(345));
  await profiles.put(defaultProfile, { timeZone: "Asia/Shanghai" });
  await vi.waitFor(async () => expect(await offset("kitchen")).toBe(480));
  expect(await offset("hall")).toBe(345);
});

it("firmware: the device is offered the image of its board, at an address that it can fetch", async () => {
  await mkdir(join(folder, "box-2"));
  await writeFile(join(folder, "box-2/2.5.0.bin"), "image");
  await writeFile(join(folder, "firmware.json"), JSON.stringify({ "box-2/2.5.0.bin": { force: true } }));
  const one = await gateways.start({ VOXBUS_FIRMWARE_DIR: folder });
  const about = (version: string, name: string) => ({ application: { version }, board: { type: "box", name } });
  const offered = async (version: string, name = "box-2") => (await ask(one, "a:b", about(version, name))).firmware;
  await vi.waitFor(async () => expect((await offered("2.4.2")).version).toBe("2.5.0"), { timeout: 10_000 });
  const { url, force } = await offered("2.6.0");
  expect(force).toBe(1);
  expect(await (await fetch(url)).text()).toBe("image");
  const record = async (id: string) => (await gateways.bus.bucket(buckets.devices).get(id))?.value;
  const sent = { version: "2.5.0", state: "downloaded", percent: 100 };
  await vi.waitFor(async () => expect(await record("a:b")).toMatchObject({ board: "box-2", update: sent }));
  await fetch(url.replace("a%3Ab", "stranger"));
  expect(await offered("2.5.0")).toEqual({ version: "2.5.0", url: "" });
  expect(await offered("2.4.2", "box-3")).toEqual({ version: "2.4.2", url: "" });
  expect(await record("stranger")).toBeUndefined();
  await expect(gateways.start({ VOXBUS_FIRMWARE_DIR: join(folder, "gone") })).rejects.toThrow(/^VOXBUS_FIRMWARE_DIR: /);
});
