import { hostname } from "node:os";
import { defaultPorts } from "@voxbus/protocol";
import { checkLimits, ConfigError, flag, gatewayPlace, gatewayUrl, list, port } from "@voxbus/subscriber";
import { z } from "zod";
import { limitsConfig } from "./limits.ts";
import { deviceList, keyList, tokenList } from "./tokens.ts";

/** An id has at most 64 characters. A process's number takes three. */
const longestNumberedId = 61;

const host = String.raw`[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?`;
const portNumber = String.raw`:[1-9]\d{0,4}`;
/** Devices look up IPv4 addresses only, and split at the colon. */
const hostAndPort = z
  .string()
  .regex(new RegExp(`^${host}${portNumber}$`), "must be host:port, such as voice.example.com:1883");
const hostAndOptionalPort = z
  .string()
  .regex(new RegExp(`^${host}(${portNumber})?$`), "must be a host, or host:port, such as 192.168.1.20");

/** The gateway's variables; `--help` prints them. */
export const gatewayConfig = {
  VOXBUS_GATEWAY_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("address for devices; beyond loopback, VOXBUS_AUTH must be set"),
  VOXBUS_GATEWAY_PORT: port
    .default(defaultPorts.gateway.device)
    .describe("port for devices and their configuration (OTA); 0: any free one"),
  VOXBUS_GATEWAY_TLS_CERT: z
    .string()
    .optional()
    .describe(
      "path of the PEM file with the certificate for devices, and its chain; read again when it changes; unset: no TLS",
    ),
  VOXBUS_GATEWAY_TLS_KEY: z.string().optional().describe("path of the PEM file with the key of that certificate"),
  VOXBUS_GATEWAY_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
    .optional()
    .describe("name of this gateway on the bus; unset: host name and port, such as hall-8000"),
  VOXBUS_GATEWAY_WORKERS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe("gateway processes behind the port; with more than 1, -1, -2 … follow the id, and limits hold for each"),
  VOXBUS_PUBLIC_URL: gatewayUrl
    .optional()
    .describe(
      "ws:// or wss:// URL that devices are told to connect to; with {gateway} for the id of the gateway with room; default: the request's own host with this port",
    ),
  VOXBUS_AUTH: z
    .enum(["none", "token", "hmac"])
    .optional()
    .describe("how devices prove who they are; default: none, on loopback only"),
  VOXBUS_AUTH_TOKENS: tokenList.describe(
    "comma-separated `token` or `device-id=token`, at least 16 characters each; an unbound token may speak for any device",
  ),
  VOXBUS_AUTH_KEY: keyList.describe(
    "secret key of hmac tokens, or `new,old`: the first signs, each is accepted; at least 16 characters each",
  ),
  VOXBUS_AUTH_TTL_S: z.coerce
    .number()
    .int()
    .min(60)
    .default(2_592_000)
    .describe(
      "seconds that an hmac token, or a device's own, is valid: from when it was made, and then from when its device was last here",
    ),
  VOXBUS_OTA_ALLOW: deviceList.describe(
    "comma-separated device ids that get a token from OTA while authentication is on; * for any",
  ),
  VOXBUS_ACTIVATION: z
    .enum(["off", "code", "allow-all"])
    .default("off")
    .describe(
      "how devices that no one has let in get a token from OTA: not at all, after an operator has typed the code that they show, or at once",
    ),
  VOXBUS_ACTIVATION_KEYS: z
    .string()
    .optional()
    .describe(
      "path of a file with serial numbers of boards and their keys, `serial hexadecimal-key` in each line; such a board needs no code; read again when it changes",
    ),
  VOXBUS_FIRMWARE_DIR: z
    .string()
    .optional()
    .describe(
      "folder of firmware images for devices, <board>/<version>.bin, and of rules in firmware.json; read again when it changes; unset: OTA offers none",
    ),
  VOXBUS_ORIGINS: list.describe(
    "comma-separated origins of web pages that may connect, besides the gateway's own; * for any",
  ),
  VOXBUS_MQTT_PORT: port
    .optional()
    .describe(
      "port for MQTT devices, which are reached while they are idle; unset: none; firmware wants TLS on 8883 only",
    ),
  VOXBUS_MQTT_ENDPOINT: hostAndPort
    .optional()
    .describe(
      "host:port of MQTT that devices are told, of this gateway or of others; default: the request's own host with VOXBUS_MQTT_PORT",
    ),
  VOXBUS_MQTT_TLS_CERT: z
    .string()
    .optional()
    .describe(
      "path of the PEM file with the certificate for MQTT, and its chain; read again when it changes; unset: no TLS",
    ),
  VOXBUS_MQTT_TLS_KEY: z.string().optional().describe("path of the PEM file with the key of that certificate"),
  VOXBUS_MQTT_KEEPALIVE_S: z.coerce
    .number()
    .int()
    .min(10)
    .max(3600)
    .default(240)
    .describe(
      "seconds between signs of life that MQTT devices are told; a device that is silent for 1.5 times as long is gone",
    ),
  VOXBUS_UDP_PORT: port
    .default(8884)
    .describe("UDP port for the audio of MQTT devices; process n of VOXBUS_GATEWAY_WORKERS takes the n-th from it on"),
  VOXBUS_UDP_ADDRESS: hostAndOptionalPort
    .optional()
    .describe(
      "host or host:port of this gateway alone that devices send audio to; default: the address that they reached",
    ),
  VOXBUS_UDP_ANY_ADDRESS: flag
    .default(false)
    .describe("1: audio may come from another address than MQTT, as behind carriers that have many"),
  ...limitsConfig,
};

/** The gateway's configuration as it was read. */
export type GatewayConfig = z.infer<z.ZodObject<typeof gatewayConfig>> & {
  readonly VOXBUS_HOSTS: readonly string[];
  readonly VOXBUS_TRUSTED_PROXIES: readonly string[];
};

/**
 * Names a gateway: as configured, or after its host and port. `number` is that of its process, if there are several behind
 * the port.
 */
export function nameGateway(config: GatewayConfig, port: number, number: number | undefined): string {
  const end = number === undefined ? "" : `-${number}`;
  const host = hostname().replaceAll(/[^A-Za-z0-9_-]/g, "-");
  // The end of a long name differs between hosts, as in a cluster.
  return `${config.VOXBUS_GATEWAY_ID ?? `${host.slice(end.length - 58)}-${port}`}${end}`;
}

/** Fills a gateway's own name into VOXBUS_PUBLIC_URL. The processes behind one port have one URL. */
export function fillPublicUrl(config: GatewayConfig, port: number): GatewayConfig {
  const name = nameGateway(config, port, undefined);
  return { ...config, VOXBUS_PUBLIC_URL: config.VOXBUS_PUBLIC_URL?.replaceAll(gatewayPlace, name) };
}

/**
 * Checks the order of the times of a connection's life, and that the id leaves room for a process's number. Throws
 * ConfigError that names which must be longer, or shorter.
 */
export function checkRules(config: GatewayConfig): void {
  const { VOXBUS_GATEWAY_ID: id = "", VOXBUS_GATEWAY_WORKERS: workers } = config;
  if (workers > 1 && id.length > longestNumberedId) {
    const problem = `must be at most ${longestNumberedId} characters with VOXBUS_GATEWAY_WORKERS above 1`;
    throw new ConfigError([`VOXBUS_GATEWAY_ID: ${problem}; it has ${id.length}`]);
  }
  checkLimits(config, [
    ["VOXBUS_PING_MS", "VOXBUS_SUSPECT_MS"],
    ["VOXBUS_SUSPECT_MS", "VOXBUS_IDLE_TIMEOUT_MS"],
  ]);
}
