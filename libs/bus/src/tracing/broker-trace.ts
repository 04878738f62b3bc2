import { z } from "zod";

const Step = z.object({
  /** in: it came; js: a stream took it; eg: it went on; sm, se, si: subject mapping, stream export, service import. */
  type: z.string(),
  /** RFC 3339, ns, by the server's clock. */
  ts: z.string(),
  /** Of the connection: 0 a client, 1 a route, 2 a gateway of NATS, 4 a leaf node. */
  kind: z.number().optional(),
  /** Of the connection's other end: a client's name or a server's. */
  name: z.string().optional(),
  subj: z.string().optional(),
  stream: z.string().optional(),
  queue: z.string().optional(),
  hop: z.string().optional(),
  error: z.string().optional(),
});

/** What one nats-server says of one message whose `traceparent` is sampled (NATS ADR-41, message path tracing). */
export const BrokerTrace = z.object({
  server: z.object({
    name: z.string(),
    ver: z.string(),
    cluster: z.string().optional(),
    time: z.string(),
  }),
  request: z.object({ header: z.record(z.string(), z.array(z.string())).default({}), msgsize: z.number().default(0) }),
  events: z.array(Step).default([]),
});
export type BrokerTrace = z.infer<typeof BrokerTrace>;

/** Where the servers publish these reports: the account's `msg_trace` in their settings (docs/traces.md). */
export const brokerTraceSubject = "voxbus.trace";
