import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { answerParent } from "./child.ts";
import { now } from "./numbers.ts";

// The baseline of a broadcast: one loop over all sockets, without a bus.
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", () => undefined);
await once(server, "listening");

/** Sends a text to every connection. Returns when it began, ms of the machine's clock. */
function broadcast({ text }: { readonly text: string }): number {
  const began = now();
  const data = Buffer.from(text);
  for (const socket of server.clients) socket.send(data, { binary: false });
  return began;
}

answerParent({ broadcast }, { device: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` });
