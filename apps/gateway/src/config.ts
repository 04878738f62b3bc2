import { hostname } from "node:os";
import { busConfig } from "@voxbus/bus";
import { port } from "@voxbus/service";
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
  ...busConfig,
  VOXBUS_GATEWAY_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("address for devices; beyond loopback VOXBUS_AUTH must be said outright"),
  VOXBUS_GATEWAY_PORT: port
    .default(8000)
    .describe("port for devices and their configuration (OTA); 0 for any free one"),
  VOXBUS_GATEWAY_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
    .optional()
    .describe(
      `this gateway's name on the bus; default: host name and port, such as ${hostname()
        .replaceAll(/[^A-Za-z0-9_-]/g, "-")
        .slice(0, 40)}-8000`,
    ),
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
  VOXBUS_HELLO_TIMEOUT_MS: milliseconds(100, 60_000)
    .default(10_000)
    .describe("ms that a device may take for its hello"),
  VOXBUS_IDLE_TIMEOUT_MS: milliseconds(1000, 3_600_000)
    .default(90_000)
    .describe("ms without any inbound byte before a session is closed; pinged after a third of it"),
};

/** The gateway's configuration as it was read. */
export type GatewayConfig = z.infer<z.ZodObject<typeof gatewayConfig>>;
