import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import {
  findFreePort,
  leave,
  makeCertificate,
  openTestDevice,
  startNatsServer,
  startOnOddHost,
  type CertificateFiles,
  type HostedProgram,
  type NatsServer,
} from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { findProxy, startProxy, type ProxyName } from "./proxy.ts";

vi.setConfig({ testTimeout: 60_000 });

/** The silence after which the page connects again, ms. */
const silenceMs = 20_000;
const folder = mkdtempSync(join(tmpdir(), "voxbus-proxies-"));
const started: HostedProgram[] = [];
let certificate: CertificateFiles;
let ca: string;
let nats: NatsServer;
let stopProxy: () => Promise<void> = async () => undefined;
/** The reasons why a proxy cannot be tested here. */
const missing = new Map<ProxyName, string>();
for (const name of ["nginx", "caddy"] as const) {
  await findProxy(name).catch((error: Error) => missing.set(name, error.message));
}

beforeAll(async () => {
  certificate = makeCertificate(folder, "server");
  ca = readFileSync(certificate.cert, "utf8");
  nats = await startNatsServer();
});
afterEach(async () => {
  await stopProxy();
  await Promise.all(started.splice(0).map(({ end }) => end("SIGINT")));
});
afterAll(async () => {
  await nats.stop();
  rmSync(folder, { recursive: true });
});

async function startProgram(name: "gateway" | "monitor", env: Readonly<Record<string, string>>): Promise<string> {
  const main = fileURLToPath(new URL(`../../../apps/${name}/dist/main.js`, import.meta.url));
  const port = `VOXBUS_${name.toUpperCase()}_PORT`;
  const free = { [port]: "0", [`VOXBUS_${name.toUpperCase()}_OPS_PORT`]: "0", VOXBUS_NATS_URL: nats.url };
  const program = startOnOddHost([process.execPath, main], { channel: true, env: { ...free, ...env } });
  started.push(program);
  const { ota, monitor } = await program.addresses;
  return ota ?? monitor ?? "";
}

/** Starts a gateway, a monitor and a proxy before both. Gives the address of the page, with the path at its end. */
async function startBehind(name: ProxyName, prefix: string): Promise<string> {
  const port = await findFreePort();
  const env = {
    VOXBUS_TRUSTED_PROXIES: "127.0.0.1,::1",
    VOXBUS_PUBLIC_URL: `wss://localhost:${port}${prefix}/xiaozhi/v1/`,
  };
  const [gateway, monitor] = await Promise.all([startProgram("gateway", env), startProgram("monitor", env)]);
  const programs = { gateways: [gateway], monitors: [monitor] };
  const place = { folder: join(folder, `${name}-${port}`), port, prefix, certificate, ...programs };
  const { stop } = await startProxy(name, place);
  stopProxy = stop;
  return `https://localhost:${port}${prefix}/`;
}

function ask(
  url: string | URL,
  method = "GET",
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = { "Content-Type": "application/json", ...headers };
    const asked = request(url, { method, headers: sent, ca, agent: false }, resolve).on("error", reject);
    asked.end(method === "POST" ? "{}" : undefined);
  });
}

/** Reads events until one of them holds a text. Rejects if it is held back for longer than the page waits. */
async function untilEvent(events: IncomingMessage, part: string): Promise<void> {
  const late = setTimeout(() => events.destroy(new Error(`no event with ${part} in time`)), silenceMs);
  let all = "";
  for await (const chunk of events) {
    all += String(chunk);
    if (all.includes(part)) break;
  }
  clearTimeout(late);
  expect(all).toContain(part);
}

const cases = (["nginx", "caddy"] as const).flatMap((name) => ["", "/voxbus"].map((prefix) => ({ name, prefix })));

describe.each(cases)("behind $name, at '$prefix/'", ({ name, prefix }) => {
  const reason = missing.get(name);
  it.skipIf(reason !== undefined)(`devices, page, events and changes get through ${reason ?? ""}`, async () => {
    const base = await startBehind(name, prefix);
    const { origin } = new URL(base);

    const page = await text(await ask(base));
    const [script = "none"] = /(?<=<script [^>]*src=")[^"]+/.exec(page) ?? [];
    const asset = await ask(new URL(script, base));
    expect([asset.statusCode, asset.headers["content-type"]]).toEqual([200, expect.stringContaining("javascript")]);
    asset.resume();
    if (prefix !== "") {
      const bare = await ask(base.slice(0, -1));
      expect([bare.statusCode, new URL(bare.headers.location ?? "", base).href]).toEqual([expect.any(Number), base]);
      bare.resume();
    }

    const events = await ask(`${base}api/events`);
    const configuration = await ask(`${base}xiaozhi/ota/`, "POST", { "Device-Id": "hall" });
    const { websocket } = (await json(configuration)) as { readonly websocket: { readonly url: string } };
    expect(websocket.url).toBe(`${origin.replace("https", "wss")}${prefix}/xiaozhi/v1/`);
    const device = await openTestDevice(websocket.url, { id: "hall", ca });
    await untilEvent(events, '"hall"');

    const disconnect = async (from: string) => {
      const response = await ask(`${base}api/devices/hall/disconnect`, "POST", { Origin: from });
      response.resume();
      return response.statusCode;
    };
    expect(await disconnect("https://localhost:1")).toBe(403);
    expect(device.open).toBe(true);
    const { closed } = device;
    expect(await disconnect(origin)).toBe(202);
    await closed;
    await leave(device);
  });
});
