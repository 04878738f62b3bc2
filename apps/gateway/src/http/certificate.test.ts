import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { connect } from "node:tls";
import { leave, makeCertificate, openTestDevice, type CertificateFiles } from "@voxbus/testing";
import type { Running } from "@voxbus/subscriber";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addressOf, openTestGateways, type TestGateways } from "../test-gateways.ts";

const folder = mkdtempSync(join(tmpdir(), "voxbus-certificate-"));
const path = (name: string) => join(folder, name);
let gateways: TestGateways;
let first: CertificateFiles;
let second: CertificateFiles;

beforeAll(async () => {
  gateways = await openTestGateways();
  first = makeCertificate(folder, "first");
  second = makeCertificate(folder, "second");
});
afterAll(async () => {
  await gateways.stop();
  rmSync(folder, { recursive: true });
});

const variables = ({ cert, key }: CertificateFiles) => ({ VOXBUS_GATEWAY_TLS_CERT: cert, VOXBUS_GATEWAY_TLS_KEY: key });
const authority = () => [first.cert, second.cert].map((file) => readFileSync(file, "utf8")).join("\n");

/** Puts a file in place of another in one step, as tools for certificates do. */
function replace(file: string, source: string): void {
  copyFileSync(source, `${file}.new`);
  renameSync(`${file}.new`, file);
}

/** Gives the name in the certificate that a new connection is shown. */
function readName(service: Running): Promise<unknown> {
  const { port } = new URL(addressOf(service));
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", ca: authority() }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

async function readLoads(service: Running, result: string): Promise<number> {
  const text = await (await fetch(`${service.addresses["ops"]}/metrics`)).text();
  return Number(
    new RegExp(`^voxbus_gateway_certificate_loads_total\\{.*result="${result}".*\\} (\\d+)`, "m").exec(text)?.[1],
  );
}

interface Configuration {
  readonly websocket: { readonly url: string };
}

function askConfiguration(service: Running): Promise<Configuration> {
  return new Promise((resolve, reject) => {
    const options = { ca: authority(), headers: { "Device-Id": "kitchen" } };
    get(service.addresses["ota"] ?? "", options, (response) => {
      json(response).then((body) => resolve(body as Configuration), reject);
    }).on("error", reject);
  });
}

describe("TLS", () => {
  it("a device asks for its configuration and connects to the wss address in it", async () => {
    const one = await gateways.start(variables(first));
    const { websocket } = await askConfiguration(one);
    expect(websocket.url).toBe(addressOf(one));
    expect(websocket.url).toMatch(/^wss:/);
    const device = await openTestDevice(websocket.url, { id: "kitchen", ca: authority() });
    expect(device.session).not.toBe("");
    await leave(device);
    await expect(openTestDevice(websocket.url.replace("wss", "ws"), { id: "plain" })).rejects.toThrow();
    await expect(openTestDevice(websocket.url, { id: "wary" })).rejects.toThrow(/self-signed/);
  });

  it("changed files are loaded without a restart, and unusable ones are refused", async () => {
    const files = { cert: path("live.cert"), key: path("live.key") };
    replace(files.cert, first.cert);
    replace(files.key, first.key);
    const one = await gateways.start(variables(files));
    const device = await openTestDevice(addressOf(one), { id: "hall", ca: authority() });
    expect(await readName(one)).toBe("first");

    replace(files.cert, second.cert);
    replace(files.key, second.key);
    await expect.poll(() => readName(one), { timeout: 10_000 }).toBe("second");
    expect([await readLoads(one, "loaded"), await readLoads(one, "refused")]).toEqual([2, 0]);

    // The key of another certificate, nothing, and no file.
    replace(files.key, first.key);
    await expect.poll(() => readLoads(one, "refused"), { timeout: 10_000 }).toBe(1);
    writeFileSync(files.cert, "");
    await expect.poll(() => readLoads(one, "refused"), { timeout: 10_000 }).toBe(2);
    rmSync(files.key);
    await expect.poll(() => readLoads(one, "refused"), { timeout: 10_000 }).toBe(3);
    expect(await readName(one)).toBe("second");

    replace(files.cert, first.cert);
    replace(files.key, first.key);
    await expect.poll(() => readName(one), { timeout: 10_000 }).toBe("first");
    expect(device.open).toBe(true);
    await leave(device);
  });

  it.each([
    ["a certificate alone", { key: undefined }, /^VOXBUS_GATEWAY_TLS_KEY: must be set/],
    ["a key alone", { cert: undefined }, /^VOXBUS_GATEWAY_TLS_CERT: must be set/],
    ["a missing file", { cert: path("none") }, /^VOXBUS_GATEWAY_TLS_CERT: .*none cannot be read: ENOENT$/],
    ["a folder", { key: folder }, /^VOXBUS_GATEWAY_TLS_KEY: .* cannot be read: EISDIR$/],
    ["a key as certificate", { cert: path("first.key") }, /^VOXBUS_GATEWAY_TLS_CERT: .* must hold a certificate/],
    ["a certificate as key", { key: path("first.cert") }, /^VOXBUS_GATEWAY_TLS_KEY: .* must hold a key/],
    [
      "the key of another",
      { key: path("second.key") },
      /^VOXBUS_GATEWAY_TLS_KEY: .* is not the key of the certificate/,
    ],
  ])("%s is refused at the start", async (_case, wrong, problem) => {
    const { cert, key } = { ...first, ...wrong };
    const env = { ...(cert && { VOXBUS_GATEWAY_TLS_CERT: cert }), ...(key && { VOXBUS_GATEWAY_TLS_KEY: key }) };
    await expect(gateways.start(env)).rejects.toThrow(problem);
  });
});
