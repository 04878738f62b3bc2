import { z } from "zod";

const Step = z.object({
  /** in: ingress; js: stored in a stream; eg: egress; sm, se, si: subject mapping, stream export, service import. */
  type: z.string(),
  /** RFC 3339 with ns, by the server's clock. */
  ts: z.string(),
  /** The kind of connection: 0 client, 1 route, 2 NATS gateway, 4 leaf node. */
  kind: z.number().optional(),
  /** The name of the connection's other end, a client or a server. */
  name: z.string().optional(),
  subj: z.string().optional(),
  stream: z.string().optional(),
  queue: z.string().optional(),
  hop: z.string().optional(),
  error: z.string().optional(),
});

/** One nats-server's report on a message whose `traceparent` is sampled (NATS ADR-41, message path tracing). */
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
