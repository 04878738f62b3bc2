import { connect } from "@nats-io/transport-node";
import { answerParent } from "./child.ts";

// The subscriber of the bare bridge.
const nc = await connect({ servers: process.argv[2] ?? "" });
nc.subscribe("bare.*.in", {
  callback: (_error, message) => nc.publish(message.subject.replace(/in$/, "out"), message.data),
});
await nc.flush();
answerParent({});
