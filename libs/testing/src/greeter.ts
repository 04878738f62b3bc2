import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** A TCP server that greets every client with the same bytes. */
export interface Greeter {
  readonly port: number;
  /** Bytes that clients have sent. */
  received(): string;
  close(): void;
}

/** Starts a server on 127.0.0.1 that greets with `greeting`, or with nothing, and answers each `PING` with `PONG`. */
export async function startGreeter(greeting = ""): Promise<Greeter> {
  let received = "";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(greeting);
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
      if (text.includes("PING\r\n")) socket.write("PONG\r\n");
    });
    server.once("close", () => socket.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    close: () => {
      server.close();
      server.emit("close");
    },
  };
}

/** Writes the greeting of a nats-server, with `fields` in place of its own. */
export function greetAsNats(fields: Readonly<Record<string, unknown>> = {}): string {
  const info = {
    server_id: "N1",
    server_name: "n1",
    version: "2.12.0",
    proto: 1,
    headers: true,
    max_payload: 1_048_576,
  };
  return `INFO ${JSON.stringify({ ...info, jetstream: true, ...fields })}\r\n`;
}
