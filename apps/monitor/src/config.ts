import { defaultPorts } from "@voxbus/protocol";
import { flag, port } from "@voxbus/service";
import { z } from "zod";
import type { RuleSettings } from "./alerts/rules.ts";

const limit = (usual: number) => z.coerce.number().positive().default(usual);

/** The monitor's variables. */
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
  VOXBUS_MONITOR_MAX_MEMORY_MB: limit(1024).describe("megabytes of a process from which on there is an alert"),
  VOXBUS_MONITOR_MAX_CPU_PERCENT: limit(80).describe(
    "percent of the cores that a process can use from which on there is an alert",
  ),
  VOXBUS_MONITOR_MAX_CONNECTIONS: limit(1000).describe("connections of a gateway from which on there is an alert"),
  VOXBUS_MONITOR_MAX_QUEUE: limit(500).describe(
    "messages waiting for a consumer, or in a program, from which on there is an alert",
  ),
  VOXBUS_MONITOR_TARGET_P95_MS: limit(1500).describe(
    "ms to the first sound of an answer that 5 % of the turns may exceed",
  ),
  VOXBUS_MONITOR_TARGET_P99_MS: limit(3000).describe(
    "ms to the first sound of an answer that 1 % of the turns may exceed",
  ),
  VOXBUS_LLM_ENGINE: z.string().default("embedded").describe("who answers, as dialogue is told; the page says so"),
};

/** From when on something is told, as the rules want it. */
export function readLimits(config: z.infer<z.ZodObject<typeof monitorConfig>>): RuleSettings {
  return {
    memory: config.VOXBUS_MONITOR_MAX_MEMORY_MB * 1_000_000,
    cpu: config.VOXBUS_MONITOR_MAX_CPU_PERCENT,
    connections: config.VOXBUS_MONITOR_MAX_CONNECTIONS,
    queue: config.VOXBUS_MONITOR_MAX_QUEUE,
    p95: config.VOXBUS_MONITOR_TARGET_P95_MS,
    p99: config.VOXBUS_MONITOR_TARGET_P99_MS,
  };
}
