import { defaultPorts } from "@voxbus/protocol";
import { z } from "zod";
import { isReserved } from "./names.ts";

function text(meaning: string) {
  return z.string().optional().describe(meaning);
}

/** The sizes of the streams and buckets in megabytes, and the number of their copies, where no variable sets them. */
export const defaultSizes = {
  VOXBUS_NATS_REPLICAS: 1,
  VOXBUS_DEVICE_IN_MB: 256,
  VOXBUS_TURNS_MB: 128,
  VOXBUS_BUCKETS_MB: 256,
} as const;

const megabytes = z.coerce.number().int().min(16).max(1_048_576).optional();

/** The variables with the sizes of the streams and buckets. Where one is unset, streams that exist keep what they have. */
const sizeConfig = {
  VOXBUS_NATS_REPLICAS: z.coerce.number().int().min(1).max(5).optional().meta({
    default: defaultSizes.VOXBUS_NATS_REPLICAS,
    description: "copies that NATS keeps of each stream and bucket: 1 on one server, 3 in a cluster",
  }),
  VOXBUS_DEVICE_IN_MB: megabytes.meta({
    default: defaultSizes.VOXBUS_DEVICE_IN_MB,
    description: "megabytes of the stream DEVICE_IN in NATS; beyond: its oldest messages are dropped",
  }),
  VOXBUS_TURNS_MB: megabytes.meta({
    default: defaultSizes.VOXBUS_TURNS_MB,
    description: "megabytes of the stream TURNS in NATS; beyond: its oldest messages are dropped",
  }),
  VOXBUS_BUCKETS_MB: megabytes.meta({
    default: defaultSizes.VOXBUS_BUCKETS_MB,
    description: "megabytes of all buckets in NATS, each with its share; beyond: a bucket takes no new entry",
  }),
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
  VOXBUS_NATS_PREFIX: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/,
      "must be 1 to 32 characters of A-Z a-z 0-9 _ -, the first a letter or digit",
    )
    .refine((prefix) => !isReserved(prefix), "must be another word: voxbus has subjects of its own under this one")
    .optional()
    .describe(
      "name that sets this system apart from others on the same NATS, such as staging: before all subjects, and instead " +
        "of voxbus in the names of streams, buckets and consumers; the same for every program",
    ),
  ...sizeConfig,
};

/** The parsed form of `busConfig`. */
export type BusConfig = z.infer<z.ZodObject<typeof busConfig>>;

/** The sizes of the streams and buckets in megabytes, and the number of their copies. */
export type StreamSizes = z.infer<z.ZodObject<typeof sizeConfig>>;

/** The part of a configuration with which a program finds NATS and signs in. */
export type LoginConfig = Omit<BusConfig, keyof StreamSizes>;

/** The part of a log that the bus uses. A pino log has this shape. */
export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
