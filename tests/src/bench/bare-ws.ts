import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { answerParent } from "./child.ts";

// The lower bound: the cost of a WebSocket in Node.
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
await once(server, "listening");
answerParent({}, { device: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` });
