import { connect } from "@nats-io/transport-node";
import { answerParent } from "./child.ts";

// The bare bridge's subscriber.
const nc = await connect({ servers: process.argv[2] ?? "" });
nc.subscribe("bare.*.in", {
  callback: (_error, message) => nc.publish(message.subject.replace(/in$/, "out"), message.data),
});
await nc.flush();
answerParent({});
