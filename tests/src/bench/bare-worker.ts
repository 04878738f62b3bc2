import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  StorageType,
  type ConsumerMessages,
} from "@nats-io/jetstream";
import { connect, createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { answerParent } from "./child.ts";
import { now } from "./numbers.ts";

// The baselines of the bus: nats.js alone. Only the time in the last 8 bytes is decoded.
const nc = await connect({ servers: process.argv[2] ?? "" });
const jsm = await jetstreamManager(nc);

let consumed: [number, number][] = [];
let messages: ConsumerMessages | undefined;

/** Consumes jobs with a durable consumer of nats.js. */
async function claim({ device }: { device: string }): Promise<void> {
  const name = `bare-${device}`;
  consumed = [];
  await jsm.consumers.add("voxbus_DEVICE_IN", {
    durable_name: name,
    filter_subject: `device.${device}.in.control.open`,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.New,
  });
  const consumer = await jetstream(nc).consumers.get("voxbus_DEVICE_IN", name);
  messages = await consumer.consume({
    callback(message) {
      consumed.push([consumed.length + 1, now()]);
      message.ack();
    },
  });
}

async function endClaim(): Promise<[number, number][]> {
  await messages?.close();
  return consumed;
}

let following: Subscription[] = [];
let latencies: number[] = [];

const callback = (_error: Error | null, { data }: Msg) => {
  latencies.push(now() - new DataView(data.buffer, data.byteOffset + data.byteLength - 8).getFloat64(0));
};

/** Opens one core subscription per device. */
function follow({ devices }: { devices: readonly string[] }): Promise<void> {
  latencies = [];
  following = devices.map((device) => nc.subscribe(`device.${device}.in.audio`, { callback }));
  return nc.flush();
}

/** Opens one JetStream consumer per device, on a stream in memory. */
async function followStream({ devices }: { devices: readonly string[] }): Promise<void> {
  latencies = [];
  await jsm.streams.add({ name: "BENCH", subjects: ["bench.*"], storage: StorageType.Memory, max_age: 30e9 });
  following = [];
  for (const device of devices) {
    const inbox = createInbox();
    following.push(nc.subscribe(inbox, { callback }));
    await jsm.consumers.add("BENCH", {
      deliver_subject: inbox,
      filter_subject: `bench.${device}`,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.All,
      mem_storage: true,
      inactive_threshold: 30e9,
    });
  }
}

async function endFollow(): Promise<number[]> {
  for (const one of following) one.unsubscribe();
  await nc.flush();
  return latencies;
}

async function endFollowStream(): Promise<number[]> {
  const all = await endFollow();
  await jsm.streams.delete("BENCH");
  return all;
}

/** Answers requests with a number of bytes. */
function respond({ bytes }: { bytes: number }): Promise<void> {
  const data = new Uint8Array(bytes);
  nc.subscribe("bench.request", { callback: (_error, message) => void message.respond(data) });
  return nc.flush();
}

/** Sends a number of requests at once, in rounds, and returns the time of each round, ms. */
async function request({ count, rounds }: { count: number; rounds: number }): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await Promise.all(Array.from({ length: count }, () => nc.request("bench.request", undefined, { timeout: 5000 })));
    times.push(performance.now() - began);
  }
  return times;
}

answerParent({
  countFollowed: () => latencies.length,
  claim,
  endClaim,
  follow,
  endFollow,
  followStream,
  endFollowStream,
  respond,
  request,
});
