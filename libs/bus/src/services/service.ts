import type { RequestChannel } from "@voxbus/protocol";
import { z } from "zod";
import type { Arrival } from "../arrival.ts";
import type { Closer } from "../closer.ts";

/** A service of NATS's services API (ADR-32): what others find of a program. */
export interface ServiceDescription {
  /** The name that all instances share: 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** A semantic version, such as 1.4.0. */
  readonly version: string;
  readonly description?: string;
  /** Gives what others find beside it, at the time they ask. */
  readonly metadata?: () => Readonly<Record<string, string>>;
}

/** An endpoint of a service: its name, and what others find of it. */
export interface Endpoint {
  readonly name: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A registered service. Closing it ends its endpoints. */
export interface Served extends Closer {
  /** The id of this instance. */
  readonly id: string;
  /**
   * Answers the requests of a channel, as `Bus.respond` does. Of all instances of all services, one gets each request. Throws
   * RangeError if the service's description, which is one message, would exceed what NATS carries.
   */
  endpoint<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    endpoint: Endpoint,
    handler: (message: z.infer<Q>, arrival: Arrival) => Promise<z.input<A>>,
  ): Closer;
}

/** Asks for the services on this NATS. */
export interface Discovery extends Closer {
  /** Asks every service. Each answers in its own time. While NATS is away, nothing is asked. */
  ask(): void;
  /** Tests whether the connection of a service is still there. If it is not, `gone` is called. A service that is busy is there. */
  check(service: Pick<ServiceInfo, "name" | "id">): void;
}

/** The type of a service's answer about itself. */
export const infoType = "io.nats.micro.v1.info_response";

const metadata = z.record(z.string().max(256), z.string()).nullish();

/** An endpoint in a service's answer. Its subject has the prefix of the system taken off. */
export const EndpointInfo = z.object({
  name: z.string().max(256),
  subject: z.string().max(1024),
  queue_group: z.string().max(256).nullish(),
  metadata,
});
export type EndpointInfo = z.infer<typeof EndpointInfo>;

/** A service's answer about itself. Its endpoints are those with a subject of this system. */
export const ServiceInfo = z.object({
  type: z.literal(infoType),
  name: z.string().min(1).max(256),
  id: z.string().min(1).max(256),
  version: z.string().max(256),
  description: z.string().max(65_536).nullish(),
  metadata,
  endpoints: z.array(EndpointInfo).max(4096).nullish(),
});
export type ServiceInfo = z.infer<typeof ServiceInfo>;
