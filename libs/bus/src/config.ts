import { defaultPorts } from "@voxbus/protocol";
import { z } from "zod";

function text(meaning: string) {
  return z.string().optional().describe(meaning);
}
const megabytes = z.coerce.number().int().min(16).max(1_048_576);

/** The variables with the sizes of the streams and buckets. They must be the same for every program. */
export const sizeConfig = {
  VOXBUS_DEVICE_IN_MB: megabytes
    .default(256)
    .describe("megabytes of the stream DEVICE_IN in NATS; beyond: its oldest messages are dropped"),
  VOXBUS_TURNS_MB: megabytes
    .default(128)
    .describe("megabytes of the stream TURNS in NATS; beyond: its oldest messages are dropped"),
  VOXBUS_BUCKETS_MB: megabytes
    .default(256)
    .describe("megabytes of all buckets in NATS, each with its share; beyond: a bucket takes no new entry"),
};

/** The variables with which a program reaches NATS. Spread them into its configuration schema. */
export const busConfig = {
  VOXBUS_NATS_URL: z
    .string()
    .default(`nats://127.0.0.1:${defaultPorts.nats}`)
    .describe(
      "URL of NATS, as in nats://host:4222, nats://user:password@host or nats://token@host; tls:// insists on TLS; " +
        "several servers of one cluster separated by commas",
    ),
  VOXBUS_NATS_USER: text("user name for NATS"),
  VOXBUS_NATS_PASSWORD: text("password of that user"),
  VOXBUS_NATS_PASSWORD_FILE: text("path of a file that holds it"),
  VOXBUS_NATS_TOKEN: text("token for NATS, instead of a user"),
  VOXBUS_NATS_TOKEN_FILE: text("path of a file that holds it"),
  VOXBUS_NATS_NKEY: text("nkey seed for NATS (SU…), instead of a user"),
  VOXBUS_NATS_NKEY_FILE: text("path of a file that holds it"),
  VOXBUS_NATS_CREDS: text("path of the credentials file (JWT and seed) for NATS, instead of a user"),
  VOXBUS_NATS_CERT: text("path of the PEM file with this program's certificate for NATS"),
  VOXBUS_NATS_KEY: text("path of the PEM file with the key of that certificate"),
  VOXBUS_NATS_CA: text(
    "path of the PEM file with the authority that signed the NATS server's certificate; unset: the system's",
  ),
  VOXBUS_NATS_REPLICAS: z.coerce
    .number()
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe("copies that NATS keeps of each stream and bucket: 1 on one server, 3 in a cluster"),
  ...sizeConfig,
};

/** The parsed form of `busConfig`. */
export type BusConfig = z.infer<z.ZodObject<typeof busConfig>>;

/** The sizes of the streams and buckets, in megabytes. */
export type StreamSizes = z.infer<z.ZodObject<typeof sizeConfig>>;

/** The part of a configuration with which a program finds NATS and signs in. */
export type LoginConfig = Omit<BusConfig, keyof StreamSizes | "VOXBUS_NATS_REPLICAS">;

/** Picks the sizes from a configuration. Those that are missing have their defaults. */
export function readSizes(config: Partial<StreamSizes>): StreamSizes {
  return z.object(sizeConfig).parse(config);
}

/** The part of a log that the bus uses. A pino log has this shape. */
export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
