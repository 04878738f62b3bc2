import { StorageFullError, type Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets, channels, keptStates, maxKeepMs, type KeptMessage } from "@voxbus/protocol";
import { endExpired, KeptFullError, type KeepMessage, type Log } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { z } from "zod";
import { ByDevice, Name } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";
import type { Say } from "./sendable.ts";

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 } as const;

/** The time for which an announcement is kept, such as 1h, in ms. */
export const Keep = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, "must be a number with s, m, h or d, such as 30m, 1h or 2d")
  .transform((text) => Number(text.slice(0, -1)) * unitsMs[text.slice(-1) as keyof typeof unitsMs])
  .refine((ms) => ms >= 1000 && ms <= maxKeepMs, "must be 1s to 7d")
  .describe("keep it for a device that is away: 1s to 7d, such as 30m, 1h or 2d");

/** A kept announcement, without its text. */
export const Kept = z.object({
  id: z.string(),
  state: z.enum(keptStates).describe("told: the device has played at least its first sentence"),
  at: z.number().describe("when it was kept, ms since the epoch"),
  expiresAt: z.number().describe("ms since the epoch"),
  endedAt: z.number().optional().describe("when it was told or expired, ms since the epoch"),
  tries: z.number().int().describe("how often it was begun"),
  reply: z.string().optional().describe("the reply id of the last attempt, which the device's events name"),
});

function show({ id, state, at, expiresAt, endedAt, tries, ring }: KeptMessage): z.infer<typeof Kept> {
  return { id, state, at, expiresAt, tries, ...(endedAt && { endedAt }), ...(ring && { reply: ring.reply }) };
}

/** Dependencies of what is kept for devices. */
export interface KeepParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly keep: KeepMessage;
  readonly log: Log;
}

/**
 * Keeps an announcement for a device, which may be away. Throws the problems `device-unknown`, `too-many-kept` and
 * `bus-away`.
 */
export async function keepFor(
  { bus, presence, keep, log }: KeepParts,
  device: string,
  { text, emotion, language }: z.infer<typeof Say>,
  keepMs: number,
): Promise<z.infer<typeof Kept>> {
  requireBus(bus);
  const isKnown = presence.online(device) ?? (await bus.bucket(buckets.devices).get(device));
  if (isKnown === undefined) throw new Problem("device-unknown", `${device} was never seen, so nothing is kept for it`);
  try {
    const kept = await keep(device, { id: ulid(), text, emotion, language, keepMs });
    log.info({ device, message: kept.id, keepMs }, "announcement kept");
    return show(kept);
  } catch (cause) {
    if (!(cause instanceof KeptFullError || cause instanceof StorageFullError)) throw cause;
    bus.drop(channels.sayOpen(device).subject, "kept-full");
    const detail = cause instanceof KeptFullError ? cause.message : "as many announcements are kept as fit";
    throw new Problem("too-many-kept", `${detail}; try again when some were told`, { cause });
  }
}

/** Adds the routes of the announcements that are kept for a device. */
export function addMessageRoutes(app: App, { bus }: Pick<KeepParts, "bus">): void {
  const read = async (device: string) => {
    requireBus(bus);
    const found = (await bus.bucket(buckets.kept).get(device))?.value ?? { messages: [] };
    return endExpired(found, bus.now()).messages.map(show);
  };

  addRoute(app, "get", "/api/devices/{id}/messages", {
    summary: "The announcements that wait for a device, and the 20 that were told or expired last",
    params: ByDevice,
    answer: z.object({ messages: z.array(Kept) }),
    problems: ["bad-device-id", "bus-away"],
    handle: async ({ params: { id } }) => ({ messages: await read(id) }),
  });
  addRoute(app, "get", "/api/devices/{id}/messages/{message}", {
    summary: "The state of one of them: waiting, told or expired",
    params: ByDevice.extend({ message: Name }),
    answer: Kept,
    problems: ["bad-device-id", "bad-name", "message-unknown", "bus-away"],
    handle: async ({ params: { id, message } }) => {
      const found = (await read(id)).find((one) => one.id === message);
      if (!found) throw new Problem("message-unknown", `nothing with this id is kept for ${id}`);
      return found;
    },
  });
}
