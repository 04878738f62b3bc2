import { nuid } from "@nats-io/nats-core";
import { isName } from "@voxbus/protocol";
import type { Closer } from "../closer.ts";
import type { Connection } from "../nats/connection.ts";
import { listen } from "../nats/listen.ts";
import type { Messages } from "../nats/messages.ts";
import { infoType, type EndpointInfo, type Served, type ServiceDescription } from "./service.ts";

// Programs in other languages that offer the same tool are in this group by default.
const queue = "q";
const semanticVersion = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
/** The most bytes of a service's answer about itself. NATS carries 1 MiB by default. */
const maxInfoBytes = 900_000;

/** The counts of an endpoint; times in nanoseconds. */
interface EndpointStats {
  num_requests: number;
  num_errors: number;
  processing_time: number;
  last_error: string;
}

/** Registers a service (ADR-32). The contract is on `Bus.serve`. */
export function serve(
  connection: Connection,
  messages: Pick<Messages, "answer">,
  { name, version, description = "", metadata }: ServiceDescription,
): Served {
  if (!isName(name)) throw new RangeError(`the service's name: expected 1 to 64 of A-Z a-z 0-9 _ -, got "${name}"`);
  if (!semanticVersion.test(version))
    throw new RangeError(`the version of ${name}: expected one such as 1.4.0, got "${version}"`);
  const id = nuid.next();
  const started = new Date().toISOString();
  const endpoints = new Map<EndpointInfo, EndpointStats>();
  const identify = () => ({ name, id, version, metadata: { ...metadata?.(), system: connection.names.system } });

  const verbs: Readonly<Record<string, () => object>> = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identify() }),
    INFO: () => ({ type: infoType, ...identify(), description, endpoints: [...endpoints.keys()] }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...identify(),
      started,
      endpoints: [...endpoints].map(([{ name, subject, queue_group }, stats]) => ({
        name,
        subject,
        queue_group,
        ...stats,
        average_processing_time: Math.round(stats.processing_time / Math.max(1, stats.num_requests)),
      })),
    }),
  };
  const closers = new Set<Closer>();
  for (const subject of ["$SRV.*", `$SRV.*.${name}`, `$SRV.*.${name}.${id}`]) {
    const describing = listen(connection, { subject }, (request) => {
      const [, verb = ""] = request.subject.split(".");
      if (Object.hasOwn(verbs, verb)) request.respond(JSON.stringify(verbs[verb]!()));
    });
    closers.add(describing);
  }

  return {
    id,
    endpoint(channel, { name: endpoint, metadata = {} }, handler) {
      const info = { name: endpoint, subject: connection.names.subject(channel.subject), queue_group: queue, metadata };
      const stats = { num_requests: 0, num_errors: 0, processing_time: 0, last_error: "" };
      endpoints.set(info, stats);
      if (Buffer.byteLength(JSON.stringify(verbs["INFO"]?.())) > maxInfoBytes) {
        endpoints.delete(info);
        throw new RangeError(`the service ${name} has too many endpoints: with ${endpoint} over ${maxInfoBytes} bytes`);
      }
      const answering = messages.answer(
        channel,
        async (message, arrival) => {
          const since = performance.now();
          stats.num_requests += 1;
          try {
            return await handler(message, arrival);
          } catch (error) {
            stats.num_errors += 1;
            // An error's text may quote what was said.
            stats.last_error = error instanceof Error ? error.name : "error";
            throw error;
          } finally {
            stats.processing_time += Math.round((performance.now() - since) * 1e6);
          }
        },
        { queue },
      );
      const closer = {
        close() {
          endpoints.delete(info);
          closers.delete(closer);
          answering.close();
        },
      };
      closers.add(closer);
      return closer;
    },
    close: () => closers.forEach((closer) => closer.close()),
  };
}
