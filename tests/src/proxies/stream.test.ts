import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import {
  connectMqtt,
  connectTestBus,
  createInbox,
  findFreePort,
  makeCertificate,
  openAudio,
  startNatsServer,
  type CertificateFiles,
  type MqttDevice,
  type NatsServer,
} from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { startProgram, type StartedProgram } from "../e2e/accounts.ts";
import { isOpen } from "./proxy.ts";
import { findStreamNginx, startStream } from "./stream.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const packet = Buffer.from([0x58, 1, 2, 3]);
const folder = mkdtempSync(join(tmpdir(), "voxbus-stream-"));
let certificate: CertificateFiles;
let nats: NatsServer;
let bus: Bus;
let missing: string | undefined;
await findStreamNginx().catch((error: Error) => (missing = error.message));

beforeAll(async () => {
  certificate = makeCertificate(folder, "server");
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
  rmSync(folder, { recursive: true });
});

/** Starts two gateways that allow one connection of an address, and nginx before them. Devices connect through it. */
async function startBehindNginx() {
  const port = await findFreePort();
  const places = await Promise.all(
    [1, 2].map(async () => ({ mqtt: await findFreePort(), udp: await findFreePort(), proxyUdp: await findFreePort() })),
  );
  const gateways: StartedProgram[] = [];
  for (const [at, { mqtt, udp, proxyUdp }] of places.entries()) {
    const env = {
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_GATEWAY_ID: `gateway-${at}`,
      VOXBUS_GATEWAY_PORT: "0",
      VOXBUS_GATEWAY_OPS_PORT: "0",
      VOXBUS_MQTT_PORT: String(mqtt),
      VOXBUS_UDP_PORT: String(udp),
      VOXBUS_UDP_ADDRESS: `127.0.0.1:${proxyUdp}`,
      VOXBUS_TRUSTED_PROXIES: "127.0.0.1,::1",
      VOXBUS_MAX_PER_ADDRESS: "1",
    };
    const gateway = await startProgram("apps/gateway/dist/main.js", { name: "gateway", env });
    onTestFinished(async () => void (await gateway.end()));
    gateways.push(gateway);
  }
  const proxy = await startStream({ folder: join(folder, String(port)), port, certificate, gateways: places });
  onTestFinished(() => proxy.stop());
  const ca = readFileSync(certificate.cert, "utf8");
  const connect = async (id: string): Promise<MqttDevice> => {
    const device = await connectMqtt({ port, id, ca });
    onTestFinished(() => device.vanish());
    return device;
  };
  return { gateways, connect };
}

describe.skipIf(missing !== undefined)(`MQTT and UDP behind nginx ${missing ?? ""}`, () => {
  it("devices of both gateways talk at once, and the address of nginx locks none of them out", async () => {
    const { connect } = await startBehindNginx();
    const ids = Array.from({ length: 6 }, (_, at) => `sleeper-${at}`);
    const devices = await Promise.all(ids.map(connect));
    expect(devices.map(({ code }) => code)).toEqual(ids.map(() => 0));
    const audios = await Promise.all(devices.map((device) => openAudio(device)));
    const ports = audios.map(({ hello }) => (hello["udp"] as { readonly port: number }).port);
    expect(new Set(ports).size).toBe(2);
    for (const [at, id] of ids.entries()) {
      const [device, audio] = [devices[at]!, audios[at]!];
      onTestFinished(() => audio.close());
      const heard = createInbox<Uint8Array>();
      bus.subscribe(channels.inAudio(id), ({ body }) => heard.put(body));
      await bus.flush();
      device.send({ type: "listen", state: "start", mode: "manual" });
      // The gateway knows where to send when it has heard something.
      audio.send(packet);
      expect(Buffer.from(await heard.take(() => true))).toEqual(packet);
      device.send({ type: "listen", state: "stop" });
      const place = { reply: `reply-${at}`, attempt: 1, sentence: 0 };
      bus.publish(channels.out(id), {
        ...place,
        n: 0,
        kind: "text",
        body: { type: "tts", state: "sentence_start", text: "Hello." },
      });
      bus.publish(channels.out(id), { ...place, n: 1, kind: "audio", duration: 60, body: packet, end: "reply" });
      await audio.until(1);
      expect(audio.received[0]?.packet).toEqual(packet);
    }
  });

  it("a gateway that drains closes its port, and the other one gets every device", async () => {
    const { gateways, connect } = await startBehindNginx();
    const { ops, mqtt } = gateways[1]!.addresses;
    const { port } = new URL(mqtt!);
    await fetch(`${ops}/pre-stop`, { method: "POST" });
    await expect.poll(() => isOpen(Number(port))).toBe(false);
    // Each of the two processes of nginx begins with another gateway.
    const devices = await Promise.all(["rest-1", "rest-2", "rest-3", "rest-4"].map(connect));
    expect(devices.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });
});
