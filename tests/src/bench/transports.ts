import { setTimeout as sleep } from "node:timers/promises";
import { channels } from "@voxbus/protocol";
import { connectMqtt, connectTestBus, encodeSpeech, loadSpeech, type NatsServer } from "@voxbus/testing";
import { startChild, type Child } from "./child.ts";
import { encodeMasked, type Greeting } from "./device.ts";
import { measureSlice } from "./echo.ts";
import { collecting, measureMemory } from "./idle.ts";
import { checkOpenFiles } from "./machine.ts";
import { describeTail, takeMedian, type Tail } from "./numbers.ts";
import { openPatiently } from "./open-device.ts";
import { measureReturn, usualRate, type Return } from "./reconnect.ts";
import { startServer, type Server } from "./servers.ts";
import { startSystem, type System } from "./system.ts";

/** The transports. A device that is idle has a WebSocket with a hello, or MQTT alone. */
const transports = {
  WebSocket: { idle: "hello", urlOf: ({ url }: Pick<Server, "url">) => url },
  "MQTT, UDP": { idle: "none", urlOf: ({ edge }: Pick<Server, "edge">) => edge.addresses["mqtt"] ?? "" },
} as const satisfies Readonly<Record<string, { readonly idle: Greeting; readonly urlOf: (server: Server) => string }>>;
type Transport = keyof typeof transports;
const names = Object.keys(transports) as readonly Transport[];

/** One transport beside the other. Times in ms. */
export interface TransportRow {
  readonly transport: Transport;
  /** From the end of speech to the first sound, and from an abort to `tts` `stop`. */
  readonly firstSound: Tail;
  readonly silenced: Tail;
  /** CPU of the gateway per frame of sound, µs: each frame comes from a device or goes to one. */
  readonly frameUs: number;
  readonly lost: number;
  /** Memory of the gateway per idle device, KiB. */
  readonly memory: number;
  /** The return of all devices at once, beside bystanders that talk. */
  readonly back: Return;
  /** From the API to an alert on an idle device, and from the bus to it and back for a tool call. */
  readonly alert?: Tail;
  readonly call?: Tail;
}

const packets = encodeSpeech(loadSpeech("time")).map((packet) => encodeMasked(2, Buffer.from(packet)));
const portOf = (url: string) => Number(new URL(url).port);

/** Holds spoken turns one after the other, and interrupts each answer soon after its first sound. */
async function holdTurns(url: string, turns: number) {
  const device = await openPatiently(new URL(url), "talker", "hello");
  const say = (message: object) => device.sendText(JSON.stringify({ session_id: device.session, ...message }));
  const nextSound = () => new Promise<unknown>((resolve) => (device.onBinary = resolve));
  const nextStop = () =>
    new Promise<void>((resolve) => {
      device.onText = (text) => {
        const { type, state } = JSON.parse(text) as { readonly type?: string; readonly state?: string };
        if (type === "tts" && state === "stop") resolve();
      };
    });
  const firstSound: number[] = [];
  const silenced: number[] = [];
  for (let turn = 0; turn <= turns; turn += 1) {
    say({ type: "listen", state: "start", mode: "manual" });
    for (const packet of packets) device.sendEncoded(packet);
    // Datagrams arrive before what is said on the other way. The sound of the turn before is over.
    await sleep(300);
    const ended = performance.now();
    const sound = nextSound();
    say({ type: "listen", state: "stop" });
    // The first turn is a warm-up. A recognizer that has just started may hear nothing in it.
    await inTime(sound, "sound").catch((error: unknown) => {
      if (turn > 0) throw error;
    });
    const heard = performance.now();
    // The first packets come in one go.
    await sleep(abortAfterMs);
    const aborted = performance.now();
    const stop = nextStop();
    say({ type: "abort" });
    await inTime(stop, "the end of an answer");
    if (turn > 0) silenced.push(performance.now() - aborted);
    if (turn > 0) firstSound.push(heard - ended);
  }
  device.close();
  return { firstSound: describeTail(firstSound), silenced: describeTail(silenced) };
}

const patienceMs = 15_000;
const abortAfterMs = 200;

/** Waits for something. Rejects if it does not come. */
function inTime<T>(coming: Promise<T>, what: string): Promise<T> {
  const late = async () => {
    await sleep(patienceMs, undefined, { ref: false });
    throw new Error(`${what} did not come within ${patienceMs / 1000} s`);
  };
  return Promise.race([coming, late()]);
}

/** Reaches an idle device by an alert over the API, and by a tool call over the bus. */
async function reachIdle(natsUrl: string, { mqtt, monitor }: System, times: number) {
  const bus = await connectTestBus(natsUrl, { name: "bench" });
  const device = await connectMqtt({ port: portOf(mqtt), id: "reached" });
  const alert: number[] = [];
  const call: number[] = [];
  let answered = (): void => undefined;
  bus.subscribe(channels.inControl("reached"), ({ body }) => {
    if (body.type === "mcp") answered();
  });
  await bus.flush();
  await sleep(1000);
  for (let at = 0; at <= times; at += 1) {
    const began = performance.now();
    const posted = fetch(new URL("/api/devices/reached/text", monitor), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ message: { type: "alert", message: "Somebody rings." } }),
    });
    await device.next(({ type }) => type === "alert");
    const shown = performance.now() - began;
    await posted;
    const asked = performance.now();
    const answer = new Promise<void>((resolve) => (answered = resolve));
    const payload = JSON.stringify({ jsonrpc: "2.0", id: at + 1, method: "tools/call" });
    bus.publish(channels.out("reached"), { kind: "text", body: { type: "mcp", payload } });
    await answer;
    if (at > 0) alert.push(shown);
    if (at > 0) call.push(performance.now() - asked);
  }
  device.vanish();
  await device.closed;
  await bus.close();
  return { alert: describeTail(alert), call: describeTail(call) };
}

/** The sizes of the measurement. */
export interface TransportSizes {
  readonly nats: NatsServer;
  /** Idle devices, and those that come back at once. */
  readonly devices: number;
  /** Devices whose frames are echoed. */
  readonly talking: number;
  readonly turns: number;
  readonly seconds: number;
  readonly repeat: number;
  readonly progress: (text: string) => void;
}

/** Measures both transports, one after the other or in turns. Each has processes of its own. */
export async function measureTransports(sizes: TransportSizes): Promise<readonly TransportRow[]> {
  // Half as many idle devices come before those that are measured.
  checkOpenFiles(Math.ceil(sizes.devices * 1.5) + ownFiles, "pass a smaller --reached");
  const frames = await measureFrames(sizes);
  const rows: TransportRow[] = [];
  for (const transport of names) {
    sizes.progress(`${transport}: memory of ${sizes.devices} devices`);
    const memory = await measureIdle(transport, sizes);
    sizes.progress(`${transport}: turns, and the return of ${sizes.devices} devices`);
    rows.push({ transport, ...frames[transport], memory, ...(await measureSystem(transport, sizes)) });
  }
  return rows;
}

/** Files that a process opens besides its connections, at most. */
const ownFiles = 500;
const env = {
  VOXBUS_MQTT_PORT: "0",
  VOXBUS_UDP_PORT: "0",
  VOXBUS_MAX_IDLE_CONNECTIONS: "1000000",
  VOXBUS_MAX_PENDING: "1000000",
};

/** Measures the CPU of a gateway per frame that it passes, for both transports in turns. */
async function measureFrames({ nats, talking, seconds, repeat, progress }: TransportSizes) {
  const running: { readonly transport: Transport; readonly server: Server; readonly load: Child }[] = [];
  try {
    for (const transport of names) {
      const own = { ...env, VOXBUS_GATEWAY_ID: transport.slice(0, 4) };
      const server = await startServer("gateway", nats.url, { env: own, echo: running.length === 0 });
      const load = await startChild("load");
      running.push({ transport, server, load });
      const url = transports[transport].urlOf(server);
      await load.ask("connect", { url, prefix: `${transport.slice(0, 4)}-`, count: talking, greeting: "hello" });
    }
    await sleep(1000);
    const slices = new Map(names.map((transport) => [transport, [] as { us: number; lost: number }[]]));
    // The first round is a warm-up.
    for (let round = 0; round <= repeat; round += 1) {
      for (const { transport, server, load } of running) {
        progress(`${transport}: ${talking} devices that talk, ${round}/${repeat}`);
        const { cpu, result } = await measureSlice(server, load, nats.pid, { mode: "paced", seconds });
        // An echo is two frames.
        if (round > 0) slices.get(transport)?.push({ us: cpu.edge / 2, lost: result.lost });
      }
    }
    const describe = (transport: Transport) => {
      const all = slices.get(transport) ?? [];
      return { frameUs: takeMedian(all.map(({ us }) => us)), lost: all.reduce((sum, { lost }) => sum + lost, 0) };
    };
    return { WebSocket: describe("WebSocket"), "MQTT, UDP": describe("MQTT, UDP") };
  } finally {
    await Promise.all(running.flatMap(({ server, load }) => [load.stop(), server.stop()]));
  }
}

/** Measures the memory of one more idle device, KiB. */
async function measureIdle(transport: Transport, { nats, devices, seconds }: TransportSizes): Promise<number> {
  const server = await startServer("gateway", nats.url, { env, flags: collecting, echo: false });
  try {
    const { idle, urlOf } = transports[transport];
    const target = { url: urlOf(server), greeting: idle, connections: devices, seconds };
    return (await measureMemory(server, target)).held;
  } finally {
    await server.stop();
  }
}

/** Measures turns and the return of all devices on a whole system, and over MQTT how it reaches an idle device. */
async function measureSystem(transport: Transport, { nats, devices, turns, seconds }: TransportSizes) {
  const engines = await startChild("engines");
  try {
    const system = await startSystem({ nats, engines: engines.addresses["engines"], env: { ...env, ...usualRate } });
    try {
      const isMqtt = transport !== "WebSocket";
      const url = isMqtt ? system.mqtt : (system.urls[0] ?? "");
      const spoken = await holdTurns(url, turns);
      const reached = isMqtt ? await reachIdle(nats.url, system, turns) : {};
      const greeting = transports[transport].idle;
      const back = await measureReturn({ nats, system, url, greeting, devices, seconds: seconds * 3 });
      return { ...spoken, ...reached, back };
    } finally {
      await system.stop();
    }
  } finally {
    await engines.stop();
  }
}
