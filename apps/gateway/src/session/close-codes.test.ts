import type { Bus } from "@voxbus/bus";
import { buckets, channels, closeCodes, type CloseName } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import {
  connectRaw,
  connectTestBus,
  loose,
  startNatsServer,
  type TestDevice,
  type TestDeviceOptions,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { addressOf, openTestGateways, readStats, untilAway, watchEvents, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let bus: Bus;

function startGateway(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  return gateways.start({ VOXBUS_PING_MS: "100", ...env });
}

function connect(id: string, service: Running, options: TestDeviceOptions = {}): Promise<TestDevice> {
  return gateways.connect(service, { id, ...options });
}

interface End {
  readonly code: number | undefined;
  readonly reason: string | undefined;
}

/** Gives what observers will hear of the end of a device's session. */
async function watchEnd(id: string): Promise<{ readonly end: Promise<End> }> {
  const events = await watchEvents(bus, id);
  const ended = events.until((all) => all.find(({ state }) => state === "closed"));
  return { end: ended.then(({ code, reason }) => ({ code, reason })) };
}

/** Sends a device sound until it is closed. */
function sing(id: string): { close(): void } {
  let n = 0;
  const send = () => {
    const name = { reply: `song-${id}`, attempt: 1, sentence: 0 };
    const body = new Uint8Array(200);
    for (let i = 0; i < 20; i += 1, n += 1) {
      bus.publish(channels.out(id), { ...name, n, kind: "audio", duration: 60, body });
    }
  };
  const timer = setInterval(send, 100);
  return { close: () => clearInterval(timer) };
}

/** Brings about each close of the table. Gives what the device saw, or else what observers saw. */
const reached: Record<CloseName, () => Promise<End>> = {
  async done() {
    const service = await startGateway();
    await bus.bucket(buckets.profiles).put("quiet", { silenceMs: 1000, farewell: "Goodbye." });
    const polite = await connect("polite", service);
    polite.send({ type: "goodbye" });
    expect(await polite.closed).toMatchObject({ code: 1000 });
    const record = async () => (await bus.bucket(buckets.devices).get("polite"))?.value;
    await expect.poll(record).toMatchObject({ lastReason: "done", totalOnline: expect.any(Number) });
    expect(await record()).not.toHaveProperty("session");
    // In a silent conversation the farewell is claimed and spoken, and then the session ends.
    const said = bus.subscribe(channels.sayOpen("quiet"), ({ reply, text }) => {
      expect(text).toBe("Goodbye.");
      const name = { reply, attempt: 1, sentence: 0, n: 0, kind: "audio", duration: 60, end: "reply" };
      bus.publish(loose(channels.out("quiet")), { ...name, body: new Uint8Array([1]) });
    });
    await bus.flush();
    const quiet = await connect("quiet", service);
    quiet.send({ type: "listen", state: "start", mode: "auto" });
    const close = await quiet.closed;
    said.close();
    const order = quiet.received.slice(1).map((item) => ("json" in item ? item.json["state"] : "sound"));
    expect(order).toEqual(["start", "sound", "stop"]);
    return close;
  },
  async heartbeat_timeout() {
    const observed = await watchEnd("mute");
    const times = { VOXBUS_SUSPECT_MS: "300", VOXBUS_IDLE_TIMEOUT_MS: "600" };
    connectRaw("mute", addressOf(await startGateway(times))).on("error", () => undefined);
    return observed.end;
  },
  async frame_too_big() {
    const observed = await watchEnd("big");
    const device = await connect("big", await startGateway());
    device.send("x".repeat(70_000));
    // The WebSocket library answers this itself, with the code only.
    expect(await device.closed).toMatchObject({ code: closeCodes.frame_too_big.code });
    return observed.end;
  },
  async invalid_text() {
    const observed = await watchEnd("latin");
    connectRaw("latin", addressOf(await startGateway())).write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]));
    return observed.end;
  },
  async invalid_frame() {
    const observed = await watchEnd("odd");
    // A reserved opcode.
    connectRaw("odd", addressOf(await startGateway())).write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    return observed.end;
  },
  async fragmented() {
    const observed = await watchEnd("crumbs");
    const socket = connectRaw("crumbs", addressOf(await startGateway()));
    socket.on("error", () => undefined);
    const part = (opcode: number) => Buffer.from([opcode, 0x81, 0, 0, 0, 0, 0x20]);
    socket.write(Buffer.concat([part(0x01), ...Array.from({ length: 100 }, () => part(0x00))]));
    return observed.end;
  },
  async error() {
    const own = await startNatsServer();
    const service = await startGateway({ VOXBUS_NATS_URL: own.url });
    const ownBus = await connectTestBus(own.url);
    await ownBus.bucket(buckets.profiles).put("parting", { silenceMs: 1000, farewell: "Goodbye." });
    const stayer = await connect("stayer", service);
    // NATS refuses the farewell.
    const { config } = (await own.callApi("STREAM.INFO.voxbus_TURNS")) as { readonly config: object };
    await own.callApi("STREAM.UPDATE.voxbus_TURNS", { ...config, max_msg_size: 16 });
    const device = await connect("parting", service);
    device.send({ type: "listen", state: "start", mode: "auto" });
    const close = await device.closed;
    stayer.send({ type: "ping" });
    await stayer.next(({ type }) => type === "pong");
    const { closes, errors } = await readStats(service);
    expect([closes["error"], errors["session_error"]]).toEqual([1, 1]);
    await service.stop("quick");
    await ownBus.close();
    await own.stop();
    return close;
  },
  async restart() {
    const service = await startGateway();
    const device = await connect("moved", service);
    const events = await watchEvents(bus, "moved");
    const answer = await fetch(`${service.addresses["ops"]}/pre-stop`, { method: "POST" });
    expect([answer.status, await answer.json()]).toEqual([200, { drained: true }]);
    const draining = await events.until((all) => all.find(({ reason }) => reason === "draining"));
    expect(draining.state).not.toBe("closed");
    await expect(connect("late", service)).rejects.toThrow("HTTP 503");
    return device.closed;
  },
  async overloaded() {
    const own = await startNatsServer();
    const service = await startGateway({
      VOXBUS_MAX_COST_S: "1000000",
      VOXBUS_MAX_FRAMES_S: "1000",
      VOXBUS_NATS_URL: own.url,
    });
    const device = await connect("eager", service);
    own.kill("SIGSTOP");
    await untilAway(service);
    for (let n = 0; n < 300; n += 1) device.send({ type: "listen", state: "stop" });
    const close = await device.closed;
    own.kill("SIGCONT");
    await service.stop("quick");
    await own.stop();
    return close;
  },
  async hello_timeout() {
    const device = await connect("silent", await startGateway({ VOXBUS_HELLO_TIMEOUT_MS: "100" }), { hello: false });
    return device.closed;
  },
  async replaced() {
    const service = await startGateway();
    const device = await connect("twin", service);
    await connect("twin", service);
    return device.closed;
  },
  async disconnected() {
    const service = await startGateway({ VOXBUS_GATEWAY_ID: "front" });
    const device = await connect("guest", service);
    const body = { type: "disconnect", device: "guest", reason: "requested" };
    bus.publish(loose(channels.command("front")), { body });
    return device.closed;
  },
  async disabled() {
    const device = await connect("banned", await startGateway());
    await bus.bucket(buckets.registry).put("banned", { allowed: false, since: 1 });
    return device.closed;
  },
  async slow() {
    const service = await startGateway({ VOXBUS_SLOW_MS: "500" });
    const observed = await watchEnd("stuck");
    const device = await connect("stuck", service);
    const song = sing("stuck");
    await device.binary();
    device.pause();
    const end = await observed.end;
    song.close();
    return end;
  },
  async flood() {
    const service = await startGateway({ VOXBUS_MAX_FRAMES_S: "20", VOXBUS_FLOOD_MS: "1000", VOXBUS_PING_MS: "10000" });
    const chatter = await connect("chatter", service);
    for (let n = 0; n < 100; n += 1) chatter.send({ type: "ping" });
    expect(await chatter.closed).toMatchObject({ reason: "flood" });
    // A burst of audio over the budget is dropped, and the device waits. Its session goes on.
    const burst = await connect("burst", service);
    for (let n = 0; n < 50; n += 1) burst.send(new Uint8Array([0xf8]));
    burst.send({ type: "ping" });
    await burst.next(({ type }) => type === "pong");
    const { drops } = await readStats(service);
    expect(drops["rate"]).toBeGreaterThanOrEqual(5);
    const hose = await connect("hose", service);
    const pump = setInterval(() => hose.send(new Uint8Array([0xf8])), 10);
    const close = await hose.closed;
    clearInterval(pump);
    burst.send({ type: "ping" });
    await burst.next(({ type }) => type === "pong");
    return close;
  },
  async unregistered() {
    const service = await startGateway({ VOXBUS_GATEWAY_ID: "forgetful" });
    const device = await connect("forgotten", service);
    const presence = bus.bucket(buckets.presence);
    const revisionOf = async () => (await presence.get("forgotten"))?.revision ?? Infinity;
    const canary = async () => (await bus.bucket(buckets.canaries).get("forgetful"))?.revision ?? 0;
    await vi.waitFor(async () => expect(await revisionOf()).toBeLessThan(Infinity));
    // From two renewals on, a removal cannot be a wipe.
    for (let renewals = 0; renewals < 2; renewals += 1) {
      const before = await canary();
      await vi.waitFor(async () => expect(await canary()).toBeGreaterThan(before), { timeout: 5000 });
    }
    await presence.remove("forgotten");
    device.send({ type: "ping" });
    return device.closed;
  },
};

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus } = gateways);
});
afterAll(() => gateways.stop());

it.concurrent.each(Object.keys(closeCodes) as CloseName[])(
  "close %s: has its code and its reason",
  async (name) => {
    const { code, reason } = closeCodes[name];
    expect(await reached[name]()).toMatchObject({ code, reason });
  },
  20_000,
);
