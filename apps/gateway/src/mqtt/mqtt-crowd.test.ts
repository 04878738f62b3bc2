import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { decodeDatagramHeader, encodeMqtt } from "@voxbus/protocol";
import { connectMqtt, openAudio, startOnOddHost, type TestAudio } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { watchInbound } from "../test-gateways.ts";
import { announce, mqttVariables, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

// A process cannot run TypeScript on Node 20, so this is the built program.
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const frameMs = 60;
/** The datagrams of a flood that the kernel may lose. */
const mostLost = 20;

/** Lets a device talk and be talked to. Resolves when all has arrived, each way in order and once. */
async function converse(id: string, audio: TestAudio, count: number): Promise<void> {
  const inbound = await watchInbound(stage.bus, id);
  const before = audio.received.length;
  stage.publish(id, announce(`for-${id}`, ...Array.from({ length: count }, (_, at) => `Sentence ${at}.`)));
  for (let sent = 0; sent < count; sent += 1) {
    audio.send(packet);
    await sleep(frameMs);
  }
  await audio.until(before + count);
  const isAudio = ({ kind }: { readonly kind: string }) => kind === "audio";
  await inbound.until((all) => all.filter(isAudio)[count - 1]);
  const numbers = audio.received.slice(before).map(({ datagram }) => decodeDatagramHeader(datagram).seq);
  const seqs = inbound.all.filter(isAudio).map(({ seq }) => seq);
  for (const list of [numbers, seqs]) expect(list).toEqual([...new Set(list)].toSorted((one, other) => one - other));
}

describe("a crowd", () => {
  it("cannot delay or reorder a conversation by a flood of datagrams, and they are counted", async () => {
    const device = await stage.online("talker-1");
    const audio = await openAudio(device);
    audio.send(packet);
    const { port, server } = audio.hello["udp"] as { readonly port: number; readonly server: string };
    const flooder = createSocket("udp4");
    onTestFinished(() => void flooder.close());
    const counted = async () => Math.min(await stage.drops("udp-unknown"), await stage.drops("udp-malformed"));
    const talk = new AbortController();
    let rounds = 0;
    const flood = async () => {
      // A stock machine's buffer holds 277 small datagrams. So each volley waits for the one before.
      for (; !talk.signal.aborted; rounds += 1) {
        const forged = Buffer.alloc(136);
        for (let at = 0; at < 100; at += 1) {
          forged.set([1, at, 0, 120, ...randomBytes(12)]);
          flooder.send(Buffer.from(forged), port, server);
          flooder.send(forged.subarray(0, 60), port, server);
        }
        await expect
          .poll(counted, { interval: 1, timeout: 10_000 })
          .toBeGreaterThanOrEqual((rounds + 1) * 100 - mostLost);
      }
    };
    const flooding = flood();
    await converse("talker-1", audio, 30);
    talk.abort();
    await flooding;
    expect(rounds).toBeGreaterThan(1);
    audio.close();
  });

  it("comes to the second gateway when the first one ends, and disturbs no conversation there", async () => {
    const [dying, other] = await Promise.all(
      ["dying", "other"].map((id) => stage.start({ VOXBUS_GATEWAY_ID: id, ...mqttVariables })),
    );
    const talker = await stage.openMqtt("talker-2", {}, other);
    await expect.poll(() => stage.view.online("talker-2")).toBeDefined();
    const audio = await openAudio(talker);
    audio.send(packet);
    const ids = Array.from({ length: 150 }, (_, at) => `crowd-${at}`);
    const over = new AbortController();
    onTestFinished(() => over.abort());
    /** Connects, again if it is refused, and to the other gateway when the first one has ended. */
    const come = async (id: string, to: typeof dying): Promise<void> => {
      while (!over.signal.aborted) {
        const device = await stage.openMqtt(id, {}, to).catch(() => undefined);
        if (device?.code === 0) return void device.closed.then(() => (to === dying ? come(id, other) : undefined));
        await sleep(100);
      }
    };
    await Promise.all(ids.map((id) => come(id, dying)));
    const at = (gateway: string) => ids.filter((id) => stage.view.online(id)?.gateway === gateway).length;
    await expect.poll(() => at("dying"), { timeout: 10_000 }).toBe(ids.length);
    const talking = converse("talker-2", audio, 30);
    await audio.until(1);
    await dying?.stop("quick");
    await talking;
    await expect.poll(() => at("other"), { timeout: 10_000 }).toBe(ids.length);
    audio.close();
  });

  it("cannot make the gateway hold memory for packets that are announced and never end, before CONNECT or after it", async () => {
    const env = { VOXBUS_GATEWAY_PORT: "0", VOXBUS_GATEWAY_OPS_PORT: "0", VOXBUS_NATS_URL: stage.nats.url };
    const program = startOnOddHost([process.execPath, main], {
      channel: true,
      env: { VOXBUS_GATEWAY_ID: "victim", ...mqttVariables, ...env },
    });
    onTestFinished(() => program.end("SIGINT").then(() => undefined));
    const port = Number(new URL((await program.addresses)["mqtt"] ?? "").port);
    const readMib = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${program.pid}/status`, "utf8"))?.[1]) / 1024;
    const announced = Buffer.from("108084af5f", "hex");
    const chunk = Buffer.alloc(65_536);
    // The peak counts: what a connection holds is given back at its end.
    let most = 0;
    const watching = setInterval(() => (most = Math.max(most, readMib())), 20);
    onTestFinished(() => clearInterval(watching));
    /** Writes 4 MB, or until the connection is closed. Tells whether it is, soon. */
    const pour = async (write: (bytes: Buffer) => void, closed: Promise<unknown>) => {
      const isClosed = closed.then(() => true);
      for (let sent = 0; sent < 64; sent += 1) {
        write(chunk);
        if (await Promise.race([isClosed, sleep(5, false)])) return true;
      }
      return Promise.race([isClosed, sleep(3000, false)]);
    };
    const open = () => connect(port, "127.0.0.1").on("error", () => undefined);
    const strange = () => {
      const socket = open();
      onTestFinished(() => void socket.destroy());
      socket.write(announced);
      return pour((bytes) => void socket.write(bytes), new Promise((resolve) => socket.once("close", resolve)));
    };
    const known = async (id: string) => {
      const device = await connectMqtt({ port, id });
      onTestFinished(() => device.vanish());
      device.writeRaw(Buffer.from("308084af5f", "hex"));
      return pour(device.writeRaw, device.closed);
    };
    const attack = (name: string) =>
      Promise.all(Array.from({ length: 40 }, (_, at) => [strange(), known(`${name}-${at}`)]).flat());
    const attacks = [await attack("first")];
    const before = readMib();
    most = before;
    const connectPacket = encodeMqtt({
      type: "connect",
      known: true,
      client: "x".repeat(900),
      username: "",
      password: "",
      keepalive: 0,
    });
    const halves: Socket[] = Array.from({ length: 100 }, () => open());
    onTestFinished(() => halves.forEach((half) => half.destroy()));
    for (const half of halves) half.write(connectPacket.subarray(0, -1));
    await Promise.all(halves.map((half) => once(half, "connect")));
    for (const name of ["second", "third"]) attacks.push(await attack(name));
    expect(most - before).toBeLessThan(32);
    expect(attacks.flat().filter((isClosed) => !isClosed)).toEqual([]);
  }, 30_000);
});
