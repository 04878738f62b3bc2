/** A badly behaved program on the bus, in its own process: the kind of its fault and the URL of NATS are its arguments. */
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos, type NatsConnection } from "@nats-io/transport-node";
import { answerParent } from "./child.ts";

/** Messages a second of a program that publishes garbage, and the time between two bursts of them, ms. */
const garbagePerSecond = 10_000;
const burstMs = 10;
/** How long a slow program works on one message, and how long a blocked one hears nothing, ms. */
const slowMs = 200;
const blockMs = 3000;
/** The messages without an acknowledgement that NATS lets a consumer have: by default, and the most that one of voxbus has. */
const usualUnacked = 1000;
const mostUnacked = 100_000;

const faults: Readonly<Record<string, (nc: NatsConnection) => Promise<unknown>>> = {
  async "slow subscriber"(nc) {
    nc.subscribe("device.>", { callback: () => stop(slowMs) });
  },
  async "blocked event loop"(nc) {
    nc.subscribe("device.>", { callback: () => undefined });
    setInterval(() => stop(blockMs), 1);
  },
  async "crash loop"(nc) {
    nc.subscribe("device.>", { callback: () => undefined });
    const jsm = await jetstreamManager(nc);
    await jsm.consumers.add("voxbus_TURNS", { ack_policy: AckPolicy.Explicit, inactive_threshold: nanos(5000) });
    await nc.flush();
    process.kill(process.pid, "SIGKILL");
  },
  async "subscribed to everything"(nc) {
    for (const subject of [">", "device.>", "$JS.>", "$KV.>", "stored.>"]) {
      nc.subscribe(subject, { callback: () => undefined });
    }
  },
  "never acknowledges": (nc) => consumeWithoutAck(nc, usualUnacked),
  "never acknowledges, 100,000 at once": (nc) => consumeWithoutAck(nc, mostUnacked),
  async "10,000 pieces of garbage/s"(nc) {
    const garbage = Uint8Array.of(0x86, 0xa1, 0x76, 0x01, 0xa7);
    const subjects = ["device.talker-0.out", "device.talker-1.in.audio", "device.talker-2.say", "stats.gateway"];
    setInterval(() => {
      for (let n = 0; n < (garbagePerSecond / 1000) * burstMs; n += 1) {
        nc.publish(subjects[n % subjects.length]!, garbage);
      }
    }, burstMs);
  },
};

/** Takes every stored message, again and again. */
async function consumeWithoutAck(nc: NatsConnection, max_ack_pending: number): Promise<void> {
  const jsm = await jetstreamManager(nc);
  const durable_name = `bad-${process.pid}`;
  for (const stream of ["voxbus_DEVICE_IN", "voxbus_TURNS"]) {
    await jsm.consumers.add(stream, {
      durable_name,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(1000),
      max_ack_pending,
      inactive_threshold: nanos(30_000),
    });
    const consumer = await jetstream(nc).consumers.get(stream, durable_name);
    await consumer.consume({ max_messages: 1000, callback: () => undefined });
  }
}

/** Stops this thread without use of a core, ms. */
function stop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const [fault, url = ""] = process.argv.slice(2);
const connection = await connect({ servers: url });
await faults[fault ?? ""]?.(connection);
await connection.flush();
answerParent({});
