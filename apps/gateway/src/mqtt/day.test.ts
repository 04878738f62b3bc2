import { setTimeout as sleep } from "node:timers/promises";
import { buckets, type Event, type Inbound } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { connectMqtt, openAudio, refuseMethod, type MqttDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { isTts, readStats, untilControl, watchEvents, watchInbound } from "../test-gateways.ts";
import { announce, mqttVariables, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterAll(() => stage.stop());

const id = "day-1";
const keepalive = 1;
type Message = Readonly<Record<string, unknown>>;
const isAlert = ({ type }: Message) => type === "alert";

/** A device as its OTA configuration makes it connect. It shows a sign of life now and then. */
async function boot(gateway: Running): Promise<MqttDevice> {
  const headers = { "Device-Id": id, "Client-Id": "client-1" };
  const ask = async () => {
    const response = await fetch(gateway.addresses["ota"] ?? "", { method: "POST", headers, body: "{}" });
    return ((await response.json()) as { readonly mqtt?: Readonly<Record<string, string>> }).mqtt;
  };
  // A gateway may not know the device's profile yet.
  await expect.poll(ask).toBeDefined();
  const { endpoint = "", client_id = "", password = "" } = (await ask())!;
  const device = await connectMqtt({
    port: Number(endpoint.split(":")[1]),
    id: client_id,
    token: password,
    // Shorter than any gateway asks for, so that the day is long.
    keepalive,
    onMcp: (request) =>
      request["method"] === "tools/call"
        ? { jsonrpc: "2.0", id: request["id"], result: { content: [], isError: false } }
        : refuseMethod(request),
  });
  const pinging = setInterval(() => device.sendPacket({ type: "pingreq" }), (keepalive * 1000) / 2);
  void device.closed.then(() => clearInterval(pinging));
  onTestFinished(() => device.vanish());
  return device;
}

const presence = (expected: object) =>
  expect.poll(() => stage.view.online(id), { timeout: 5000 }).toMatchObject(expected);
const idle = { state: "idle", audio: "closed" };
const talking = { state: "active", audio: "open" };

/** An event in a few words. */
function tell({ state, audio, reason, turn, receipt }: Event): string {
  if (turn) return `turn ${turn.reply ?? turn.origin} ${turn.reason ?? "played"}`;
  if (receipt) return `receipt ${receipt.reply} ${receipt.result}`;
  return [state, audio, reason].filter(Boolean).join(" ");
}

/** A control frame in a few words. */
function tellControl({ kind, body }: Inbound): string[] {
  if (kind !== "control") return [];
  if (body.type === "opened") return [`opened ${body.audio}`];
  return [body.type === "closed" ? `closed ${body.reason}` : body.type];
}

it("a day of a device, from its boot to its restart: presence and events tell each step, and nothing is left of it", async () => {
  await stage.bus.bucket(buckets.profiles).put(id, { transport: "mqtt" });
  const [events, inbound] = [await watchEvents(stage.bus, id), await watchInbound(stage.bus, id)];
  const { one } = stage;
  const two = await stage.start({ VOXBUS_GATEWAY_ID: "two", ...mqttVariables });
  const publish = (message: Parameters<typeof stage.publish>[1][number]) => stage.publish(id, [message]);
  const alert = { type: "alert" as const, status: "Door", message: "Somebody rings.", emotion: "neutral" };

  // It boots.
  let device = await boot(one);
  await presence({ ...idle, gateway: "one" });
  const { session } = stage.view.online(id)!;

  // A conversation with one turn.
  const first = await openAudio(device);
  await presence({ ...talking, session });
  device.send({ type: "listen", state: "start", mode: "auto" });
  first.send(packet);
  const { seq: origin } = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
  publish({ kind: "text", origin, session, body: { type: "stt", text: "hello" } });
  stage.publish(
    id,
    announce("answer", "Hello.").map((frame) => ({ ...frame, origin, session })),
  );
  await device.next(isTts("stop"));
  await first.until(1);
  device.send({ type: "goodbye" });
  await presence({ ...idle, session });

  // It is idle: an alert, and a call of a tool.
  publish({ kind: "text", reply: "a1", body: alert });
  await device.next(isAlert);
  const payload = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"self.get_device_status"}}';
  publish({ kind: "text", body: { type: "mcp", payload } });
  expect((await untilControl(inbound, "mcp")).body).toMatchObject({ payload: /"id":7,"result"/ });

  // A second hello without a goodbye, as after 120 s of silence. The gateway ends that conversation.
  const lost = await openAudio(device);
  await presence(talking);
  const second = await openAudio(device);
  const unknown = await stage.drops("udp-unknown");
  lost.send(packet);
  await expect.poll(() => stage.drops("udp-unknown")).toBe(unknown + 1);
  second.send(packet);
  publish({ kind: "text", body: { type: "goodbye" } });
  await device.next(({ type }) => type === "goodbye");
  await presence({ ...idle, session });

  // A timer rings while it is idle.
  stage.publish(id, announce("ring", "Your tea is ready."));
  expect(await device.next(isAlert)).toMatchObject({ message: "Your tea is ready." });
  await events.until((all) => all.find(({ receipt }) => receipt?.reply === "ring"));

  // Hours pass, in which only pings show that it is there.
  await sleep(2.5 * keepalive * 1000);
  await presence({ ...idle, session });

  // Its gateway drains, and it finds another one.
  await one.stop("drain");
  await device.closed;
  expect(device.received.at(-1)).toMatchObject({ type: "goodbye" });
  await expect.poll(() => stage.view.online(id)).toBeUndefined();
  device = await boot(two);
  await presence({ ...idle, gateway: "two" });
  const { session: next } = stage.view.online(id)!;
  const third = await openAudio(device);
  await presence(talking);
  third.send(packet);
  stage.publish(id, announce("talk", "Welcome back."));
  await device.next(isTts("stop"));
  device.send({ type: "goodbye" });
  await presence({ ...idle, session: next });

  // It is told to restart, and does.
  publish({ kind: "text", reply: "r1", body: { type: "system", command: "reboot" } });
  await device.next(({ type }) => type === "system");
  await events.until((all) => all.find(({ receipt }) => receipt?.reply === "r1"));
  device.vanish();
  await expect.poll(() => stage.view.online(id)).toBeUndefined();
  await inbound.until((all) =>
    all.find(({ kind, body }) => kind === "control" && "reason" in body && body.reason === "gone"),
  );

  const told = [
    ["idle"],
    ["active open", "turn answer played", "idle closed"],
    ["receipt a1 delivered"],
    ["active open", "active open", "idle closed"],
    ["turn ring no-channel", "receipt ring delivered"],
    ["idle draining", "closed restart"],
    ["idle"],
    ["active open", "turn talk played", "idle closed"],
    ["receipt r1 delivered", "closed gone"],
  ];
  expect(events.all.map(tell)).toEqual(told.flat());
  const published = [
    ["opened closed"],
    ["opened open", "listen", "fence", "goodbye", "stop", "abort"],
    ["mcp"],
    ["opened open", "abort", "opened open", "abort"],
    ["closed restart"],
    ["opened closed"],
    ["opened open", "goodbye", "abort"],
    ["closed gone"],
  ];
  expect(inbound.all.flatMap(tellControl)).toEqual(published.flat());
  expect(await readStats(two)).toMatchObject({ connections: 0, buffered: 0, waiting: 0, wakeups: 0 });
  third.send(packet);
  await expect.poll(async () => (await readStats(two)).drops["udp-unknown"]).toBe(1);
  for (const audio of [first, lost, second, third]) audio.close();
}, 15_000);
