import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import { refusals } from "@voxbus/protocol";
import { bindServer, type Context, type Proxies } from "@voxbus/subscriber";
import type { gatewayConfig } from "../config.ts";
import { createCertificateWatch } from "../http/certificate.ts";
import { RefusedError, type Refuser } from "../http/refusals.ts";
import { fixedLimits, type Limits } from "../limits.ts";
import { PendingConnection, type Connect } from "./pending-connection.ts";

/** Time after which an idle connection is probed by TCP, ms. */
const probeMs = 60_000;
const sweepMs = 1000;

/** Dependencies of the server. */
export interface MqttServerDeps {
  readonly proxies: Proxies;
  readonly refuser: Refuser;
  readonly limits: Limits;
  /** Takes a CONNECT. */
  readonly connect: Connect;
}

/** The server for MQTT: connections until their CONNECT. */
export interface MqttServer {
  readonly port: number;
  close(): void;
}

/** Starts to listen, over TLS if there is a certificate. Throws ListenError or ConfigError. */
export async function openMqttServer(
  context: Pick<Context<typeof gatewayConfig>, "config" | "log" | "meter">,
  { proxies, refuser, limits, connect }: MqttServerDeps,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MqttServer> {
  /** Connections without a CONNECT, the oldest first, and their number by address. */
  const pending = new Set<PendingConnection>();
  const groups = new Map<string, number>();
  const leave = (one: PendingConnection) => {
    const { group } = one.client;
    if (!pending.delete(one) || group === undefined) return;
    const left = (groups.get(group) ?? 1) - 1;
    if (left > 0) groups.set(group, left);
    else groups.delete(group);
  };
  const take = (socket: Socket) => {
    const client = proxies.clientOf(socket.remoteAddress);
    const { group } = client;
    const ofGroup = group === undefined ? 0 : (groups.get(group) ?? 0);
    if (pending.size >= limits.pending || ofGroup >= fixedLimits.otherPerAddress) {
      refuser.dropped();
      socket.destroy();
      return;
    }
    if (group !== undefined) groups.set(group, ofGroup + 1);
    pending.add(new PendingConnection(socket, client, { refuser, connect, leave }));
  };
  const certificates = createCertificateWatch(context, "VOXBUS_MQTT_TLS");
  const certificate = certificates.read();
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: probeMs };
  const server: Server = certificate
    ? createTlsServer({ ...options, ...certificate, handshakeTimeout: limits.helloMs }, take)
    : createTcpServer(options, take);
  server.maxConnections = limits.connections + limits.idleConnections + fixedLimits.otherConnections;
  server.on("drop", () => refuser.dropped());
  // A handshake that fails ends its connection.
  server.on("tlsClientError", (error: Error) => refuser.invalid(error));
  await bindServer(server, { host, port, variable: "VOXBUS_MQTT_PORT", log: context.log });
  const following = server instanceof TlsServer ? certificates.follow(server) : undefined;
  const sweep = setInterval(() => {
    const late = performance.now() - limits.helloMs;
    for (const one of pending) {
      if (one.since > late) return;
      one.refuse(new RefusedError("bad-request", "no CONNECT was accepted in time"));
    }
  }, sweepMs);
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      clearInterval(sweep);
      following?.close();
      server.close();
      for (const one of pending) one.refuse(new RefusedError("draining", refusals.draining.meaning));
    },
  };
}
