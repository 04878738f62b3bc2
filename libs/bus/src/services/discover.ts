import { createInbox } from "@nats-io/nats-core";
import { parseJson } from "../json.ts";
import type { Connection } from "../nats/connection.ts";
import { listen } from "../nats/listen.ts";
import { ServiceInfo, type Discovery } from "./service.ts";

const infoSubject = "$SRV.INFO";
const idPattern = /^[^\s.*>]+$/;

/** Finds services (ADR-32). The contract is on `Bus.discover`. */
export function discover(
  connection: Connection,
  found: (service: ServiceInfo) => unknown,
  gone: (id: string) => unknown = () => undefined,
): Discovery {
  const { nc, names, drops } = connection;
  const inbox = createInbox(names.discoveryInbox);
  const infos = listen(connection, { subject: `${inbox}.info` }, ({ data }) => {
    // NATS's own word that no service exists.
    if (data.byteLength === 0) return undefined;
    const { value, broken } = parseJson(ServiceInfo, data);
    if (broken) return drops.report({ subject: infoSubject, reason: "bad-envelope", ...broken });
    const system = value.metadata?.["system"];
    if (system !== undefined && system !== names.system) return undefined;
    // Other systems and applications on this NATS have services, too.
    const endpoints = value.endpoints?.filter((endpoint) => names.owns(endpoint.subject)) ?? [];
    return found({
      ...value,
      endpoints: endpoints.map((endpoint) => ({ ...endpoint, subject: names.plain(endpoint.subject) })),
    });
  });
  const checks = listen(connection, { subject: `${inbox}.check.*` }, ({ subject, headers }) => {
    if (headers?.code === 503) return gone(subject.slice(`${inbox}.check.`.length));
    return undefined;
  });
  const send = (subject: string, reply: string) => {
    if (connection.connected()) nc.publish(subject, undefined, { reply });
  };
  return {
    ask: () => send(infoSubject, `${inbox}.info`),
    check({ name, id }) {
      if (idPattern.test(name) && idPattern.test(id)) send(`$SRV.PING.${name}.${id}`, `${inbox}.check.${id}`);
    },
    close() {
      infos.close();
      checks.close();
    },
  };
}
