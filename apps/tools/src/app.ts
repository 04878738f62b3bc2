import { watchPresence, watchSessions } from "@voxbus/presence";
import { channels, defaultPorts } from "@voxbus/protocol";
import { createMcpClient, startAtZero, type Context, type Program } from "@voxbus/subscriber";
import { toolsConfig } from "./config.ts";
import { offerEnd } from "./conversation-tool.ts";
import { keptOutcomes, tellKept } from "./tell-kept.ts";
import { offerLevels } from "./level-tools.ts";
import { openReminderBook } from "./reminder-book.ts";
import { ringOutcomes, ringReminders } from "./ring.ts";
import { offerTime } from "./time-tool.ts";
import { offerTimers } from "./timer-tools.ts";

/** The program: its name, its operations port and its variables. */
export const tools: Program<typeof toolsConfig> = {
  name: "tools",
  version: "0.1.0",
  opsPort: defaultPorts.tools.ops,
  config: toolsConfig,
  streams: ["TURNS", "gateways", "presence", "profiles", "tools", "reminders", "kept", "probes"],
};

/** Builds the built-in tools. Each is offered by a file of its own, and any program may offer more in the same way. */
export async function buildTools(context: Context<typeof toolsConfig>): Promise<void> {
  const { config, bus, log, meter, tool, defer, profiles: openProfiles } = context;
  const profiles = await openProfiles();
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const sessions = watchSessions(bus, presence);
  defer(() => sessions.close());

  const description = "Rings of timers and alarms by outcome";
  const rings = startAtZero(meter.createCounter("voxbus_tools_rings", { description }), { outcome: ringOutcomes });
  const ringing = await ringReminders({
    bus,
    log,
    presence,
    sessions,
    profiles,
    onEnd: (outcome) => rings.add(1, { outcome }),
  });
  defer(() => ringing.close());

  const keptDescription = "Ends of announcements that were kept for devices, and of attempts to tell them, by outcome";
  const kept = startAtZero(meter.createCounter("voxbus_tools_kept", { description: keptDescription }), {
    outcome: keptOutcomes,
  });
  const telling = await tellKept({ bus, log, presence, sessions, onEnd: (outcome) => kept.add(1, { outcome }) });
  defer(() => telling.close());

  const devices = createMcpClient(bus, { timeoutMs: config.VOXBUS_TOOLS_DEVICE_MS });
  const controls = bus.subscribe(channels.inControl("*"), (frame) => devices.handle(frame));
  defer(() => controls.close());

  const deps = { bus, profiles };
  offerTime(tool, deps);
  offerTimers(tool, { ...deps, book: openReminderBook(bus) });
  offerEnd(tool, deps);
  offerLevels(tool, { ...deps, presence, devices, deviceMs: config.VOXBUS_TOOLS_DEVICE_MS });
}
