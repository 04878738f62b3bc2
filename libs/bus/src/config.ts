import { defaultPorts } from "@voxbus/protocol";
import { z } from "zod";

/** The variables with which a program reaches NATS. Spread them into its configuration schema. */
export const busConfig = {
  VOXBUS_NATS_URL: z
    .string()
    .default(`nats://127.0.0.1:${defaultPorts.nats}`)
    .describe("URL of NATS; several servers of one cluster separated by commas"),
  VOXBUS_NATS_CREDS: z.string().optional().describe("path of the credentials file for NATS; unset: none are sent"),
  VOXBUS_NATS_CA: z
    .string()
    .optional()
    .describe("path of the PEM file with the authority that signed the NATS server's certificate; unset: the system's"),
  VOXBUS_NATS_REPLICAS: z.coerce
    .number()
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe("copies that NATS keeps of each stream and bucket: 1 on one server, 3 in a cluster"),
};

/** The parsed form of `busConfig`. */
export type BusConfig = z.infer<z.ZodObject<typeof busConfig>>;

/** The part of a log that the bus uses. A pino log has this shape. */
export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
