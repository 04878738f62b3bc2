export { startNatsServer, type NatsServer } from "./nats-server.ts";
