import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer, type TLSSocket } from "node:tls";
import type { Proxies } from "./proxies.ts";

/** Open TCP connections of a listener: in all, and from one address. */
export interface ConnectionLimits {
  readonly total: number;
  readonly perAddress: number;
}

/** Connections that are counted together. */
interface Group {
  readonly most: number;
  size: number;
  /** Those without a complete request that waits for its answer, the oldest first. */
  readonly idle: Set<Socket>;
}

/** Names a TCP connection while it is open, also by the TLS connection on it. */
function nameConnection({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** An open connection. */
interface Held {
  readonly name: string | undefined;
  readonly groups: readonly Group[];
  /** Requests that wait for their answers. A WebSocket waits for ever. */
  waiting: number;
}

/** Finds the TCP connections that carry those of TLS. Of others it gives the connection itself. */
function createCarriers(server: Server): { of(socket: Socket): Socket } {
  const found = new WeakMap<Socket, Socket>();
  if (server instanceof TlsServer) {
    const shaking = new Map<string, Socket>();
    server.on("connection", (carrier: Socket) => {
      const name = nameConnection(carrier);
      shaking.set(name, carrier);
      carrier.once("close", () => shaking.get(name) === carrier && shaking.delete(name));
    });
    server.on("secureConnection", (socket: TLSSocket) => {
      const name = nameConnection(socket);
      const carrier = shaking.get(name);
      shaking.delete(name);
      if (carrier !== undefined) found.set(socket, carrier);
    });
  }
  return { of: (socket) => found.get(socket) ?? socket };
}

/**
 * Limits a server's connections before their HTTP is read. At a limit the oldest idle connection gives way. Without an
 * idle one, the new connection is dropped. A server that takes upgrades must listen for them before. Returns a function that makes
 * room for one connection.
 */
export function limitConnections(
  server: Server,
  options: { readonly limits: ConnectionLimits; readonly proxies: Proxies; readonly dropped: () => void },
): () => void {
  const { limits, proxies, dropped } = options;
  const everyone: Group = { most: limits.total, size: 0, idle: new Set() };
  const addresses = new Map<string, Group>();
  const open = new Map<Socket, Held>();
  const carriers = createCarriers(server);

  /** Listens on every socket: a function of its own would take more memory than all else that is kept of one. */
  function onClose(this: Socket) {
    leave(this);
  }
  const leave = (socket: Socket) => {
    const { groups, name } = open.get(socket) ?? { groups: [] };
    open.delete(socket);
    for (const group of groups) {
      group.size -= 1;
      group.idle.delete(socket);
    }
    if (name !== undefined && addresses.get(name)?.size === 0) addresses.delete(name);
  };
  const drop = (socket: Socket) => {
    leave(socket);
    socket.destroy();
    dropped();
  };
  const makeRoom = ({ idle }: Group): boolean => {
    const [oldest] = idle;
    if (oldest !== undefined) drop(oldest);
    return oldest !== undefined;
  };
  const isFull = (group: Group | undefined) => group !== undefined && group.size >= group.most && !makeRoom(group);
  const join = (socket: Socket, name: string | undefined) => {
    const groups = [everyone];
    if (name !== undefined) {
      const own = addresses.get(name) ?? { most: limits.perAddress, size: 0, idle: new Set() };
      addresses.set(name, own);
      groups.push(own);
    }
    open.set(socket, { name, groups, waiting: 0 });
    for (const group of groups) {
      group.size += 1;
      group.idle.add(socket);
    }
  };
  const wait = (asking: Socket, change: 1 | -1) => {
    const socket = carriers.of(asking);
    const held = open.get(socket);
    if (held === undefined) return;
    held.waiting += change;
    for (const { idle } of held.groups) {
      if (held.waiting === 0) idle.add(socket);
      else idle.delete(socket);
    }
  };

  server.on("connection", (socket: Socket) => {
    const { group: name } = proxies.clientOf(socket.remoteAddress);
    const own = name === undefined ? undefined : addresses.get(name);
    if (isFull(own) || isFull(everyone)) return drop(socket);
    join(socket, name);
    socket.on("close", onClose);
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket, headers } = request;
    const begin = () => {
      if (response.closed) return;
      wait(socket, 1);
      response.once("close", () => wait(socket, -1));
    };
    const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
    if (hasBody) request.once("end", begin);
    else begin();
  });
  if (server.listenerCount("upgrade") > 0) server.on("upgrade", ({ socket }: IncomingMessage) => wait(socket, 1));
  return () => void makeRoom(everyone);
}
