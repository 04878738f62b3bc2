import { defaultPorts } from "@voxbus/protocol";
import { z } from "zod";

function text(meaning: string) {
  return z.string().optional().describe(meaning);
}

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
};

/** The parsed form of `busConfig`. */
export type BusConfig = z.infer<z.ZodObject<typeof busConfig>>;

/** The part of a log that the bus uses. A pino log has this shape. */
export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
