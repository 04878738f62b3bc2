import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "@nats-io/transport-node";
import { WebSocketServer } from "ws";
import { answerParent } from "./child.ts";

// The main baseline: WebSockets on NATS with one subscription per device, and nothing else.
const nc = await connect({ servers: process.argv[2] ?? "" });
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket, request) => {
  const device = request.headers["device-id"] as string;
  const out = nc.subscribe(`bare.${device}.out`, { callback: (_error, message) => socket.send(message.data) });
  socket.on("message", (data) => nc.publish(`bare.${device}.in`, data as Buffer));
  socket.on("close", () => out.unsubscribe());
});
await once(server, "listening");
answerParent({}, { device: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` });
