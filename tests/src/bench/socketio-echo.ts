import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { answerParent } from "./child.ts";

// The subscriber of socket.io: a node without devices that answers to the room of each.
const publisher = new Redis(Number(process.argv[2]), "127.0.0.1");
const io = new Server({ adapter: createAdapter(publisher, publisher.duplicate()) });
const frames = publisher.duplicate();
frames.on("pmessageBuffer", (_pattern: string, channel: Buffer, data: Buffer) => {
  io.to(channel.toString().slice("bare.".length, -".in".length)).emit("frame", data);
});
await frames.psubscribe("bare.*.in");
answerParent({});
