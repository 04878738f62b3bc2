import { defaultPorts } from "@voxbus/protocol";
import { ConfigError, port } from "@voxbus/service";
import { z } from "zod";

const list = z
  .string()
  .transform((value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  )
  .default([]);

const milliseconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The gateway's variables; `--help` prints them. */
export const gatewayConfig = {
  VOXBUS_GATEWAY_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("address for devices; beyond loopback VOXBUS_AUTH must be said outright"),
  VOXBUS_GATEWAY_PORT: port
    .default(defaultPorts.gateway.device)
    .describe("port for devices and their configuration (OTA); 0 for any free one"),
  VOXBUS_GATEWAY_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
    .optional()
    .describe("name of this gateway on the bus; unset: host name and port, such as hall-8000"),
  VOXBUS_PUBLIC_URL: z
    .url({ protocol: /^wss?$/ })
    .optional()
    .describe(
      "ws:// or wss:// URL that devices are told to connect to; default: the request's own host with this port",
    ),
  VOXBUS_AUTH: z
    .enum(["none", "token", "hmac"])
    .optional()
    .describe("how devices prove who they are; default none, on loopback only"),
  VOXBUS_AUTH_TOKENS: list.describe(
    "comma-separated `token` or `device-id=token`; an unbound token may speak for any device",
  ),
  VOXBUS_AUTH_KEY: z.string().min(16).optional().describe("secret key of hmac tokens, at least 16 characters"),
  VOXBUS_AUTH_TTL_S: z.coerce
    .number()
    .int()
    .min(60)
    .default(2_592_000)
    .describe("seconds that an hmac token is valid; a device renews it only at boot"),
  VOXBUS_OTA_ALLOW: list.describe(
    "comma-separated device ids that get a token from OTA while authentication is on; * for any",
  ),
  VOXBUS_ORIGINS: list.describe(
    "comma-separated origins of web pages that may connect beside the gateway's own; * for any",
  ),
  VOXBUS_HOSTS: list.describe(
    "comma-separated host names that web pages may reach the gateway by, beside localhost and addresses",
  ),
  VOXBUS_MAX_CONNECTIONS: z.coerce.number().int().min(1).default(10_000).describe("most connections; more get 503"),
  VOXBUS_MAX_STRANGERS: z.coerce
    .number()
    .int()
    .min(1)
    .default(2000)
    .describe("most connections that have not said hello yet; more get 503"),
  VOXBUS_MAX_PER_ADDRESS: z.coerce
    .number()
    .int()
    .min(1)
    .default(1000)
    .describe("most connections from one address, this machine's own excepted; more get 503"),
  VOXBUS_MAX_CONNECTS_S: z.coerce
    .number()
    .int()
    .min(1)
    .default(1000)
    .describe("most new connections a second, twice as many at once; more get 503"),
  VOXBUS_MAX_AUDIO_FRAMES_S: z.coerce
    .number()
    .int()
    .min(1)
    .default(100)
    .describe("audio frames a second of one device, twice as many at once; more are dropped"),
  VOXBUS_MAX_AUDIO_BYTES_S: z.coerce
    .number()
    .int()
    .min(8192)
    .default(65_536)
    .describe("bytes of audio a second of one device, three times as many at once; more are dropped"),
  VOXBUS_MAX_MESSAGES_S: z.coerce
    .number()
    .int()
    .min(1)
    .default(20)
    .describe("text messages a second of one device, three times as many at once; more close it"),
  VOXBUS_FLOOD_MS: milliseconds(100, 600_000)
    .default(10_000)
    .describe("ms that a device's audio may be over its budget without a pause until it is closed"),
  VOXBUS_SLOW_MS: milliseconds(500, 600_000)
    .default(15_000)
    .describe("ms that a device may leave a ping unanswered while it is sent sound until it is closed"),
  VOXBUS_MAX_HELD_MB: z.coerce
    .number()
    .int()
    .min(1)
    .default(1024)
    .describe("megabytes held for all devices: replies to play, frames to replay"),
  VOXBUS_HELLO_TIMEOUT_MS: milliseconds(100, 60_000)
    .default(10_000)
    .describe("ms that a device may take for its hello"),
  VOXBUS_PING_MS: milliseconds(100, 600_000)
    .default(30_000)
    .describe("ms between pings, and without a frame until a session is idle"),
  VOXBUS_SUSPECT_MS: milliseconds(200, 1_800_000)
    .default(60_000)
    .describe("ms without any inbound byte until a session is suspicious"),
  VOXBUS_IDLE_TIMEOUT_MS: milliseconds(300, 3_600_000)
    .default(90_000)
    .describe("ms without any inbound byte until a session is closed"),
};

/** The gateway's configuration as it was read. */
export type GatewayConfig = z.infer<z.ZodObject<typeof gatewayConfig>>;

/** Holds the times of a connection's life in a sane order. Throws ConfigError naming what must be longer than what. */
export function checkTimes(config: GatewayConfig): void {
  const order = ["VOXBUS_PING_MS", "VOXBUS_SUSPECT_MS", "VOXBUS_IDLE_TIMEOUT_MS"] as const;
  const problems = order.slice(1).flatMap((longer, index) => {
    const shorter = order[index] as (typeof order)[number];
    const wrong = config[longer] <= config[shorter];
    return wrong
      ? [`${longer}: must be longer than ${shorter}, which is ${config[shorter]} ms; it is ${config[longer]} ms`]
      : [];
  });
  if (problems.length) throw new ConfigError(problems);
}
