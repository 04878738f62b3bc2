import { encodeMqtt, parseDeviceId, refusals } from "@voxbus/protocol";
import type { Context, Guesses, Proxies } from "@voxbus/subscriber";
import type { GatewayConfig, gatewayConfig } from "../config.ts";
import type { Auth } from "../http/auth.ts";
import type { Capacity } from "../http/capacity.ts";
import { checkDevice } from "../http/check-token.ts";
import { RefusedError, type Refuser } from "../http/refusals.ts";
import type { Limits } from "../limits.ts";
import type { Counters } from "../observe/counters.ts";
import { processNumber } from "../processes/process-number.ts";
import type { Handshake } from "../session/handshake.ts";
import { openMqttServer } from "./mqtt-server.ts";
import { MqttTransport, type MqttTransportDeps } from "./mqtt-transport.ts";
import type { Connect } from "./pending-connection.ts";
import { openUdpSocket } from "./udp-socket.ts";

/** Dependencies of the door. */
export interface MqttDoorDeps {
  readonly auth: Auth;
  readonly guesses: Guesses;
  readonly proxies: Proxies;
  readonly capacity: Capacity;
  readonly refuser: Refuser;
  readonly counters: Counters;
  readonly limits: Limits;
  /** Takes a device whose CONNECT was accepted. */
  readonly enter: (handshake: Handshake) => void;
}

/**
 * Opens the door for devices that stay connected while they are idle: MQTT for text, UDP for audio. Returns the port of
 * MQTT. Without VOXBUS_MQTT_PORT there is no such door, and it returns undefined. Throws ListenError or ConfigError.
 */
export async function openMqttDoor(
  context: Context<typeof gatewayConfig>,
  deps: MqttDoorDeps,
): Promise<number | undefined> {
  const { config, log, defer, drain } = context;
  const { VOXBUS_MQTT_PORT: port, VOXBUS_GATEWAY_HOST: host } = config;
  if (port === undefined) return undefined;
  const { limits, proxies, refuser, counters } = deps;
  const shift = (processNumber() ?? 1) - 1;
  const udpPort = config.VOXBUS_UDP_PORT === 0 ? 0 : config.VOXBUS_UDP_PORT + shift;
  const udp = await openUdpSocket({
    host: host.includes(":") ? "0.0.0.0" : host,
    port: udpPort,
    drops: counters.drops,
    log,
  });
  defer(() => udp.stop());
  const audioAddress = nameAudioAddress(config, udp.port, shift);
  const connect = createConnect(deps, { udp, audioAddress, drops: counters.drops }, config.VOXBUS_UDP_ANY_ADDRESS);
  const server = await openMqttServer(context, { proxies, refuser, limits, connect }, { host, port });
  defer(() => server.close());
  // A proxy for TCP cannot read a refusal. It passes devices on to the next gateway when this one's port is closed.
  drain(async () => server.close());
  return server.port;
}

/** Makes the function that names the address for audio: the configured one, or that of the gateway as the device reached it. */
function nameAudioAddress(
  { VOXBUS_UDP_ADDRESS: configured }: GatewayConfig,
  port: number,
  shift: number,
): MqttTransportDeps["audioAddress"] {
  if (configured === undefined) return (server) => ({ server, port });
  const [server = "", given] = configured.split(":");
  const address = { server, port: given === undefined ? port : Number(given) + shift };
  return () => address;
}

/** Makes the function that accepts a CONNECT. A device proves who it is as it does on a WebSocket. */
function createConnect(
  { auth, guesses, capacity, enter }: MqttDoorDeps,
  shared: MqttTransportDeps,
  anyAddress: boolean,
): Connect {
  return async ({ known, client, username, password, keepalive }, { socket, client: from }) => {
    if (!known) throw new RefusedError("bad-protocol-version", "MQTT must be 3.1 or 3.1.1");
    const device = parseDeviceId(readClientId(client));
    const identity = { device, client: username.slice(0, 128), token: password };
    await checkDevice(identity, from, { auth, guesses, wrong: "forbidden" });
    // It may have left, or have been refused, meanwhile.
    if (!socket.writable) return;
    // Nothing may wait between this check and the count.
    const busy = capacity.refuse(from.group, "idle");
    if (busy) throw new RefusedError(busy, refusals[busy].meaning);
    socket.write(encodeMqtt({ type: "connack", code: 0 }));
    socket.once("close", capacity.enter(from.group));
    // A proxy has an address of its own.
    const audioFrom = anyAddress || from.group === undefined ? undefined : from.address;
    const transport = new MqttTransport(shared, socket, { keepalive, audioFrom });
    enter({ transport, device, remote: from.address });
  };
}

/** Reads a device's id from a client id. Some servers hand out `GROUP@@@aa_bb_cc_dd_ee_ff@@@UUID`. */
function readClientId(client: string): string {
  const [, address] = /^[^@]*@@@([^@]+)@@@/.exec(client) ?? [];
  return address?.replaceAll("_", ":") ?? client;
}
