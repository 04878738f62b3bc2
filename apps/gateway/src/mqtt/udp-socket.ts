import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { decodeDatagramHeader, ProtocolError, type DatagramHeader } from "@voxbus/protocol";
import { explainListenError, type Log } from "@voxbus/subscriber";
import type { Counters } from "../observe/counters.ts";
import { cookieOf, type DatagramDrop, type Peer, type UdpChannel } from "./udp-channel.ts";

/** The receive buffer that is asked for, and below which audio is lost when the process is busy, bytes. */
const wantedBytes = 4 * 1_048_576;
const fewBytes = 1_048_576;
/** Linux counts a buffer twice, for its own records. */
const countedTwice = process.platform === "linux" ? 2 : 1;

/** Takes the datagrams of its channel. */
export interface DatagramOwner {
  datagram(data: Buffer): void;
}

/** The one socket for the audio of all MQTT devices. It finds each datagram's channel by its random bits, never by its address. */
export interface UdpSocket {
  readonly port: number;
  open(channel: UdpChannel, owner: DatagramOwner): void;
  close(channel: UdpChannel): void;
  /** Sends to a device. What the network does not take is lost. */
  send(datagram: Uint8Array, peer: Peer): void;
  stop(): void;
}

/** Dependencies of the socket. */
export interface UdpSocketDeps {
  readonly host: string;
  readonly port: number;
  readonly drops: Counters["drops"];
  readonly log: Log;
}

/** Binds the socket. Throws ListenError, which names the variable to change. */
export async function openUdpSocket({ host, port, drops, log }: UdpSocketDeps): Promise<UdpSocket> {
  const channels = new Map<number, { readonly channel: UdpChannel; readonly owner: DatagramOwner }>();
  const socket = createSocket({ type: "udp4", recvBufferSize: wantedBytes });
  try {
    socket.bind({ port, address: host, exclusive: true });
    await once(socket, "listening");
  } catch (error) {
    throw explainListenError(error, { host, port, variable: "VOXBUS_UDP_PORT" });
  }
  checkBuffer(socket, log);
  const take = (data: Buffer, peer: Peer): DatagramDrop | undefined => {
    const header = readHeader(data);
    if (header === undefined) return "udp-malformed";
    const found = channels.get(cookieOf(header));
    if (found === undefined) return "udp-unknown";
    const drop = found.channel.judge(header, peer, performance.now());
    if (drop === undefined) found.owner.datagram(data);
    return drop;
  };
  socket.on("message", (data, peer) => {
    const drop = take(data, peer);
    if (drop !== undefined) drops[drop] += 1;
  });
  socket.on("error", (err) => log.warn({ err }, "UDP socket failed"));
  const sent = (err: Error | null) => {
    if (err) drops["udp-unsent"] += 1;
  };
  return {
    port: socket.address().port,
    open: (channel, owner) => void channels.set(channel.cookie, { channel, owner }),
    close: (channel) => void channels.delete(channel.cookie),
    send: (datagram, peer) => socket.send(datagram, peer.port, peer.address, sent),
    stop: () => socket.close(),
  };
}

function readHeader(data: Buffer): DatagramHeader | undefined {
  try {
    return decodeDatagramHeader(data);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
}

/** The kernel gives less than it is asked for without a word. */
function checkBuffer(socket: Socket, log: Log): void {
  const bytes = socket.getRecvBufferSize() / countedTwice;
  if (bytes < fewBytes)
    log.warn({ bytes, wanted: wantedBytes, sysctl: "net.core.rmem_max" }, "UDP receive buffer small, raise the sysctl");
}
