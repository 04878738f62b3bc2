/**
 * A badly behaved program in its own process: `block` subscribes to everything and blocks its event loop; `hoard` takes all
 * stored messages and never acknowledges them.
 */
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [how, servers] = process.argv.slice(2);
const nc = await connect({ servers: (servers ?? "").split(","), reconnect: false });
nc.subscribe(">", { callback: () => undefined });
if (how === "hoard") {
  const jsm = await jetstreamManager(nc);
  const durable_name = `hoarder-${process.pid}`;
  for (const stream of ["voxbus_DEVICE_IN", "voxbus_TURNS"]) {
    await jsm.consumers.add(stream, { durable_name, ack_policy: AckPolicy.Explicit, max_ack_pending: 100_000 });
    const consumer = await jetstream(nc).consumers.get(stream, durable_name);
    const messages = await consumer.consume({ max_messages: 1000 });
    void (async () => {
      for await (const message of messages) if (message.seq < 0) message.ack();
    })();
  }
}
await nc.flush();
process.stdout.write("ready\n");
if (how === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
