import { defaultPorts } from "@voxbus/protocol";
import { flag, port } from "@voxbus/service";
import { z } from "zod";
import { ruleVariables } from "./alerts/rules.ts";

/** The monitor's environment variables. */
export const monitorConfig = {
  VOXBUS_MONITOR_HOST: z.string().default("127.0.0.1").describe("address that the dashboard and the API listen on"),
  VOXBUS_MONITOR_PORT: port
    .default(defaultPorts.monitor.http)
    .describe("port of the dashboard and the API; 0: any free one"),
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
  VOXBUS_MONITOR_INTERVAL_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe("ms between two looks at the numbers of all programs; 1000 of them are kept"),
  VOXBUS_MONITOR_LEASE_MS: z.coerce
    .number()
    .int()
    .min(300)
    .max(60_000)
    .default(10_000)
    .describe("ms without a sign of the active monitor after which another one takes over"),
  VOXBUS_MONITOR_WEBHOOK: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("http or https address that every alert is posted to as JSON"),
  ...ruleVariables,
  VOXBUS_LLM_ENGINE: z.string().default("embedded").describe("who answers, as dialogue is told; the page says so"),
};
