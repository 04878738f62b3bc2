import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "@nats-io/transport-node";
import { WebSocketServer } from "ws";
import { answerParent } from "./child.ts";

// The baseline of play-out: one Node timer per packet, two packets ahead of the sound, and nothing else.
const packetMs = 60;
const aheadMs = 2 * packetMs;
const nc = await connect({ servers: process.argv[2] ?? "" });
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket, request) => {
  const device = request.headers["device-id"] as string;
  let soundEnd = 0;
  const out = nc.subscribe(`bare.${device}.out`, {
    callback: (_error, { data }) => {
      const now = performance.now();
      soundEnd = Math.max(soundEnd, now);
      const dueMs = soundEnd - aheadMs - now;
      soundEnd += packetMs;
      if (dueMs <= 0) socket.send(data);
      else setTimeout(() => socket.send(data), dueMs);
    },
  });
  socket.on("close", () => out.unsubscribe());
});
await once(server, "listening");
answerParent({}, { device: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` });
