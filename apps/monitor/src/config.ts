import { ConfigError, flag, port } from "@voxbus/service";
import { z } from "zod";

/** The monitor's variables. */
export const monitorConfig = {
  VOXBUS_MONITOR_HOST: z.string().default("127.0.0.1").describe("address that the dashboard and the API listen on"),
  VOXBUS_MONITOR_PORT: port.default(8080).describe("port of the dashboard and the API; 0: any free one"),
  VOXBUS_MONITOR_TOKEN: z.string().min(1).optional().describe("the token that /api/ demands (Authorization: Bearer …)"),
  VOXBUS_AUTH: z
    .enum(["none", "token", "hmac"])
    .optional()
    .describe("none lets the monitor listen beyond loopback without a token"),
  VOXBUS_MONITOR_TRANSCRIPTS: flag.default(false).describe("1: the page shows what people say and are answered"),
  VOXBUS_MONITOR_TRACES_URL: z
    .string()
    .regex(/^https?:\/\/.*\{trace\}/, "must be an http address with {trace} in place of a trace's id")
    .optional()
    .describe("where the page links a turn's trace, as in http://localhost:16686/trace/{trace}"),
  VOXBUS_PUBLIC_URL: z
    .url({ protocol: /^wss?$/ })
    .optional()
    .describe("the device WebSocket that the page's Talk uses"),
  VOXBUS_LLM_ENGINE: z.string().default("embedded").describe("who answers, as dialogue is told; the page says so"),
};

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Throws ConfigError when the API would be open to the network and nobody said that it shall be. */
export function checkExposure(config: {
  readonly VOXBUS_MONITOR_HOST: string;
  readonly VOXBUS_MONITOR_TOKEN?: string | undefined;
  readonly VOXBUS_AUTH?: string | undefined;
}): void {
  const { VOXBUS_MONITOR_HOST: host, VOXBUS_MONITOR_TOKEN: token, VOXBUS_AUTH: auth } = config;
  if (isLoopback(host) || token !== undefined || auth === "none") return;
  throw new ConfigError([
    `VOXBUS_MONITOR_HOST: ${host} is open to the network: set VOXBUS_MONITOR_TOKEN, or say VOXBUS_AUTH=none outright`,
  ]);
}
