import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";

/** A TCP proxy between one program and a server, such as NATS. It can stop the traffic as a broken network does. */
export interface TcpProxy {
  /** The address of the proxy, with the scheme of the server's. */
  readonly url: string;
  /** Holds back everything in both directions. Connections stay open. */
  stall(): void;
  /** Lets everything flow again, also what was held back. */
  resume(): void;
  close(): void;
}

/** Starts a proxy on a free port of 127.0.0.1. `target` is a URL with host and port. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { protocol, hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let stalled = false;

  const join = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on("data", (data) => to.write(data));
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    if (stalled) from.pause();
  };
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) });
    join(client, upstream);
    join(upstream, client);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");

  return {
    url: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    stall: () => {
      stalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      stalled = false;
      for (const socket of sockets) socket.resume();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
