import { cliUser, listenerUser, shadowUser } from "../docs/grants.ts";

/** Subjects that a mistake in the table must not give away, by user: to publish, and to subscribe to. */
export const neverAllowed: Readonly<Record<string, readonly [readonly string[], readonly string[]]>> = {
  gateway: [
    [
      "device.x1.heard",
      "device.x1.out",
      "$KV.voxbus_dialogues.x1",
      "$KV.voxbus_profiles.x1",
      "$JS.API.STREAM.MSG.GET.KV_voxbus_dialogues",
    ],
    ["device.x1.in.audio", "device.x1.heard", "stored.device.x1.say", "_INBOX.asr.x1"],
  ],
  asr: [
    [
      "device.x1.say.open",
      "device.x1.in.text",
      "$KV.voxbus_presence.x1",
      "gateway.x1.command",
      "$JS.ACK.voxbus_TURNS.voxbus_tts.1.1.1.1.1",
    ],
    ["device.x1.out", "gateway.x1.command", "_INBOX.tts.x1"],
  ],
  tools: [
    [
      "device.x1.say",
      "device.x1.heard",
      "tool.x1",
      "$KV.voxbus_profiles.x1",
      "$KV.voxbus_tools.x1",
      "$JS.API.STREAM.MSG.GET.KV_voxbus_dialogues",
    ],
    ["device.x1.in.audio", "device.x1.out", "stored.device.x1.say", "_INBOX.dialogue.x1"],
  ],
  dialogue: [
    ["device.x1.heard", "device.x1.in.text", "$KV.voxbus_profiles.x1", "gateway.x1.command"],
    ["device.x1.in.audio"],
  ],
  tts: [
    ["device.x1.say.open", "device.x1.heard", "$KV.voxbus_presence.x1", "gateway.x1.command"],
    ["device.x1.in.audio"],
  ],
  monitor: [
    ["device.x1.in.text", "device.x1.heard", "device.x1.event", "$KV.voxbus_gateways.x1"],
    ["_INBOX.gateway.x1"],
  ],
  [cliUser]: [
    ["device.x1.in.text", "device.x1.heard", "device.x1.event", "stats.gateway", "$KV.voxbus_presence.x1"],
    ["_INBOX.monitor.x1", "$KV.voxbus_dialogues.x1"],
  ],
  mcp: [
    ["device.x1.in.text", "tool.x1", "$KV.voxbus_dialogues.x1", "$KV.voxbus_profiles.x1"],
    ["device.x1.in.audio", "stored.device.x1.heard"],
  ],
  [shadowUser]: [
    ["device.x1.heard", "device.x1.say.open", "device.x1.out", "tool.x1", "stats.asr", "$KV.voxbus_dialogues.x1"],
    ["_INBOX.asr.x1"],
  ],
  [listenerUser]: [
    ["device.x1.out", "device.x1.say.open", "stats.gateway", "error.gateway", "$JS.API.INFO"],
    ["_INBOX.listener.x1"],
  ],
};
