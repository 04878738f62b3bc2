import "@hono/zod-openapi";
import { Alert, keptStates, Receipt, turnOutcomes, type TurnOutcome } from "@voxbus/protocol";
import { z } from "zod";
import { createRunbook, type RunbookLink } from "./runbook.ts";

const shared = {
  key: z.string().describe("names the event: the same when it is sent again, also by another monitor"),
  at: z.number().describe("ms since the epoch"),
};
const ofDevice = { ...shared, device: z.string(), session: z.string() };
const outcomes = Object.keys(turnOutcomes) as [TurnOutcome, ...TurnOutcome[]];

/** The kinds of event, each with its fields. */
const kinds = {
  "device-online": z.object({ ...ofDevice, kind: z.literal("device-online"), gateway: z.string() }),
  "device-offline": z.object({ ...ofDevice, kind: z.literal("device-offline"), gateway: z.string() }),
  heard: z.object({
    ...ofDevice,
    kind: z.literal("heard"),
    origin: z.number().int().describe("with the session the turn"),
    language: z.string(),
    text: z.string().optional().describe("only with VOXBUS_MONITOR_TRANSCRIPTS=1"),
  }),
  turn: z.object({
    ...ofDevice,
    kind: z.literal("turn"),
    gateway: z.string(),
    outcome: z.enum(outcomes).describe("how the turn, or the announcement, ended"),
    origin: z.number().int().optional().describe("with the session the turn; absent: an announcement"),
    reply: z.string().optional(),
    firstAudio: z.number().optional().describe("ms from the end of the question to the first sound"),
  }),
  receipt: z.object({
    ...ofDevice,
    kind: z.literal("receipt"),
    gateway: z.string(),
    result: Receipt.shape.result.describe("whether a device that is idle answered to what it was sent"),
    reply: z.string().optional().describe("names the announcement, or the message"),
  }),
  message: z.object({
    ...shared,
    kind: z.literal("message"),
    device: z.string(),
    message: z.string().describe("the id of an announcement that was kept for the device"),
    state: z.enum(keptStates).exclude(["waiting"]),
  }),
  gateway: z.object({
    ...shared,
    kind: z.literal("gateway"),
    gateway: z.string(),
    state: z.enum(["up", "draining", "down"]),
  }),
  alert: Alert.extend({
    ...shared,
    kind: z.literal("alert"),
    runbook: z.string().describe("the link to its section of the runbook"),
  }),
};

/** The names of the kinds of event. */
export const eventKinds = Object.keys(kinds) as [EventKind, ...EventKind[]];
export type EventKind = keyof typeof kinds;

/** Something that happened, as the event stream and the webhooks tell it. */
export const ApiEvent = z
  .discriminatedUnion("kind", [
    kinds["device-online"],
    kinds["device-offline"],
    kinds.heard,
    kinds.turn,
    kinds.receipt,
    kinds.message,
    kinds.gateway,
    kinds.alert,
  ])
  .openapi("Event");
export type ApiEvent = z.infer<typeof ApiEvent>;

/** Events of a stream that its reader has missed for good. */
export const EventGap = z
  .object({
    reason: z
      .enum(["forgotten", "other-monitor"])
      .describe(
        "forgotten: they are older than what is kept; other-monitor: the id is of another monitor, or malformed",
      ),
  })
  .openapi("EventGap");
export type EventGap = z.infer<typeof EventGap>;

/** Makes the event of a step of an alert. A step that is posted again has the same key. */
export function alertEvent(step: Alert, runbook: RunbookLink = createRunbook()): ApiEvent & { readonly kind: "alert" } {
  const phase = step.resolved ? "resolved" : step.severity;
  return { ...step, key: `${step.id}-${phase}`, kind: "alert", runbook: runbook(step.name) };
}
