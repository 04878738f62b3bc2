import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { answerParent } from "./child.ts";

// socket.io with its Redis adapter: each device has a room of its own, to which the other node answers.
const port = Number(process.argv[2]);
const publisher = new Redis(port, "127.0.0.1");
const subscriber = publisher.duplicate();
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
  serveClient: false,
});
io.on("connection", (socket) => {
  const device = socket.handshake.headers["device-id"] as string;
  void socket.join(device);
  // The adapter's own messages between nodes are JSON, which costs bytes five times their size.
  socket.on("frame", (data: Buffer) => void publisher.publish(`bare.${device}.in`, data));
});
http.listen(0, "127.0.0.1");
await once(http, "listening");
const path = "socket.io/?EIO=4&transport=websocket";
answerParent({}, { device: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/${path}` });
