import { randomUUID } from "node:crypto";
import type { Bus } from "@voxbus/bus";
import { awaitPresence, watchPresence, type PresenceView } from "@voxbus/presence";
import { CommandError } from "../command.ts";
import { standInId, type SessionPlan } from "./plan.ts";
import { McpAnswers } from "./mcp-answers.ts";
import type { Target } from "./target.ts";
import { Witness } from "./witness.ts";

/** The longest wait for a session to appear on the bus, in ms. */
const appearMs = 5000;
const unknownPlan: SessionPlan = { opened: undefined, openListen: undefined, usesMcp: false };

/**
 * Guards a target against devices that are online: it opens no session for them. Before the first one, it makes sure that the bus is
 * the target's own, with a session of a made-up device. Throws CommandError if it is not.
 */
export async function guardOffline(target: Target, bus: Bus, signal: AbortSignal): Promise<Target> {
  const view = await watchPresence(bus);
  const own = new Set<string>();
  try {
    await proveSameSystem(target, view, signal);
  } catch (error) {
    view.close();
    throw error;
  }
  return {
    async open(device, plan, aborted) {
      const online = view.online(device.id);
      if (online !== undefined && !own.has(online.session))
        throw new CommandError(
          `${device.id} is online at the gateway ${online.gateway}. A replay does not take the place of a device.`,
        );
      const session = await target.open(device, plan, aborted);
      own.add(session.id);
      return session;
    },
    close: async () => {
      view.close();
      await target.close();
    },
  };
}

async function proveSameSystem(target: Target, view: PresenceView, signal: AbortSignal): Promise<void> {
  const device = { id: standInId(randomUUID()), mcp: new McpAnswers(), witness: new Witness() };
  const session = await target.open(device, unknownPlan, signal);
  const found = await awaitPresence(view, { device: device.id, session: session.id, timeoutMs: appearMs }, signal);
  await session.close();
  if (found === undefined)
    throw new CommandError(
      "The gateway's devices do not appear on the NATS of VOXBUS_NATS_URL, so it is not known who is online. Set it to the NATS of that gateway.",
    );
}
