import { connectBus, type BusLog, type Claims, type Closer } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { answerParent } from "./child.ts";
import { frameBytes } from "./device.ts";
import { now } from "./numbers.ts";

// A worker like asr, with an engine that does nothing.
const ignore = () => undefined;
const log: BusLog = { info: ignore, warn: console.warn, error: console.error };
const bus = await connectBus({ VOXBUS_NATS_URL: process.argv[2] ?? "", VOXBUS_NATS_REPLICAS: 1 }, log);

let claims: Claims | undefined;
let claimed: [number, number][] = [];

async function claim({ device }: { device: string }): Promise<void> {
  claimed = [];
  claims = await bus.claim({
    channel: channels.inControlOpen(device),
    durable: `bench-${device}`,
    slots: 100,
    async work({ message }) {
      claimed.push([message.seq, now()]);
    },
  });
}

async function endClaim(): Promise<[number, number][]> {
  await claims?.drain(1000);
  return claimed;
}

let following: Closer[] = [];
let latencies: number[] = [];

function follow({ session, devices }: { session: string; devices: readonly string[] }): Promise<void> {
  latencies = [];
  following = devices.map((device, at) =>
    bus.follow({
      device,
      session: `${session}-${at}`,
      gateway: "bench-source",
      after: 0,
      frame(frame) {
        if (frame.kind !== "audio") return;
        const { buffer, byteOffset } = frame.body;
        latencies.push(now() - new DataView(buffer, byteOffset + frameBytes - 8).getFloat64(0));
      },
      lost: ignore,
      gone: ignore,
    }),
  );
  return bus.flush();
}

function endFollow(): number[] {
  for (const one of following) one.close();
  return latencies;
}

answerParent({ countFollowed: () => latencies.length, claim, endClaim, follow, endFollow });
