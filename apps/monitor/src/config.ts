import { defaultPorts } from "@voxbus/protocol";
import { flag, gatewayPlace, gatewayUrl, httpUrl, port } from "@voxbus/subscriber";
import { z } from "zod";
import { ruleVariables } from "./alerts/rules.ts";
import { webhookVariables } from "./webhooks/webhooks.ts";

/** The monitor's environment variables. */
export const monitorConfig = {
  VOXBUS_MONITOR_HOST: z.string().default("127.0.0.1").describe("address that the dashboard and the API listen on"),
  VOXBUS_MONITOR_PORT: port
    .default(defaultPorts.monitor.http)
    .describe("port of the dashboard and the API; 0: any free one"),
  VOXBUS_MONITOR_TOKEN: z
    .string()
    .min(16, "must have at least 16 characters")
    .optional()
    .describe("token that /api/ requires (Authorization: Bearer …), at least 16 characters"),
  VOXBUS_MONITOR_CALLS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe("API calls in a minute with each token, or without one from each address; beyond: 429; 0: any number"),
  VOXBUS_AUTH: z
    .enum(["none", "token", "hmac"])
    .optional()
    .describe("none lets the monitor listen beyond loopback without a token"),
  VOXBUS_MONITOR_TRANSCRIPTS: flag
    .default(false)
    .describe(
      "1: the page, the API and webhooks tell what users say, the page and the API also what they are answered",
    ),
  VOXBUS_MONITOR_TRACES_URL: z
    .string()
    .regex(/^https?:\/\/.*\{trace\}/, "must be an http address with {trace} in place of a trace's id")
    .optional()
    .describe("address of a turn's trace for the page's links, such as http://localhost:16686/trace/{trace}"),
  // A template is filled in by the gateways, in their leases.
  VOXBUS_PUBLIC_URL: gatewayUrl
    .transform((url) => (url.includes(gatewayPlace) ? undefined : url))
    .optional()
    .describe("device WebSocket that Talk connects to; unset, or with {gateway}: the gateways' own addresses"),
  VOXBUS_MONITOR_INTERVAL_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe("ms between two measurements of all programs; the newest 1000 are kept"),
  VOXBUS_MONITOR_LEASE_MS: z.coerce
    .number()
    .int()
    .min(300)
    .max(60_000)
    .default(10_000)
    .describe("ms without a sign of life from the active monitor after which another one takes over"),
  VOXBUS_MONITOR_RUNBOOK_URL: httpUrl
    .optional()
    .describe("address of your copy of docs/runbook.md, to which alerts link; #NAME is added"),
  ...webhookVariables,
  ...ruleVariables,
  VOXBUS_ENGINES_FILE: z.string().optional().describe("set if dialogue has a file of engines"),
  VOXBUS_LLM_ENGINE: z.string().default("embedded").describe("language model of dialogue, which the page names"),
};
