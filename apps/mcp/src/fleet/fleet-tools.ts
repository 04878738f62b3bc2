import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { buckets, type DialogueTurn, Emotion, groupsOf, language, SessionState } from "@voxbus/protocol";
import { z } from "zod";
import { answer, checkId, deviceField as device, findDevice, type FleetDeps } from "./answer.ts";
import { addDeviceTools } from "./device-tools.ts";

/** Creates the MCP server of one assistant's session: the tools of the fleet. */
export function createFleetServer(deps: FleetDeps): McpServer {
  const server = new McpServer(
    { name: "voxbus", version: "1" },
    {
      instructions:
        "Voice devices: list them, have them say something, and read or change their settings by their own tools.",
    },
  );
  addListTool(server, deps);
  addSayTool(server, deps);
  if (deps.allowed.transcripts) addHistoryTool(server, deps);
  addDeviceTools(server, deps);
  return server;
}

function addListTool(server: McpServer, deps: FleetDeps): void {
  const { presence, profiles } = deps;
  server.registerTool(
    "list_devices",
    {
      description: "Lists the voice devices that are online, in order of their ids, a page at a time.",
      annotations: { readOnlyHint: true },
      inputSchema: {
        group: z.string().max(64).optional().describe("only devices of this group"),
        prefix: z.string().max(64).optional().describe("only ids that begin with this"),
        state: SessionState.exclude(["closed"]).optional().describe("only devices in this state"),
        limit: z.number().int().min(1).max(200).default(50).describe("devices on a page"),
        after: z.string().max(64).optional().describe("the last id of the page before"),
      },
    },
    ({ group, prefix = "", state, limit, after = "" }) =>
      answer(deps, "list_devices", () => {
        const fitting = [...presence.devices()]
          .filter(([id]) => id.toLowerCase().startsWith(prefix.toLowerCase()))
          .filter(([, found]) => (state ?? found.state) === found.state)
          .map(([id, { state, since }]) => ({ id, state, since, profile: profiles.of(id) }))
          .filter(({ profile }) => group === undefined || groupsOf(profile).includes(group))
          .toSorted((a, b) => (a.id < b.id ? -1 : 1));
        const rest = fitting.filter(({ id }) => id > after);
        const devices = rest.slice(0, limit).map(({ id, state, since, profile }) => ({
          id,
          state,
          group: profile.group,
          language: profile.language,
          onlineSince: new Date(since).toISOString(),
        }));
        return { devices, online: fitting.length, ...(rest.length > limit ? { next: devices.at(-1)?.id } : {}) };
      }),
  );
}

function addSayTool(server: McpServer, deps: FleetDeps): void {
  const { presence, send, log } = deps;
  server.registerTool(
    "say",
    {
      description: "Has a device say a text aloud, as soon as it is silent. People near the device will hear it.",
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
      inputSchema: {
        device,
        text: z.string().trim().min(1).max(4096).describe("what is spoken"),
        language: language.optional().describe("BCP 47 language of the text; default: the device's"),
        emotion: Emotion.optional().describe("the face while it is spoken"),
      },
    },
    ({ device: id, text, language, emotion }, { signal }) =>
      answer(deps, "say", async () => {
        const { device, session } = findDevice(presence, id);
        const { reply } = await send.say(device, text, { language, emotion }, signal);
        log.info({ device, session, reply }, "announcement stored");
        return { device, reply };
      }),
  );
}

function addHistoryTool(server: McpServer, deps: FleetDeps): void {
  const { bus } = deps;
  server.registerTool(
    "read_history",
    {
      description:
        "Reads the latest exchanges between a device and its user, oldest first: the user's words and the answers.",
      annotations: { readOnlyHint: true },
      inputSchema: { device, turns: z.number().int().min(1).max(50).default(10).describe("the most exchanges") },
    },
    ({ device: id, turns: most }) =>
      answer(deps, "read_history", async () => {
        const dialogue = (await bus.bucket(buckets.dialogues).get(checkId(id)))?.value;
        const turns = (dialogue?.turns ?? []).filter(({ user }) => user !== "").slice(-most);
        return { turns: turns.map(describeTurn) };
      }),
  );
}

function describeTurn({ at, user, calls, said, heard, end }: DialogueTurn) {
  return {
    at: new Date(at).toISOString(),
    user,
    answer: said.slice(0, heard).filter(Boolean).join(" "),
    ...(calls.length > 0 && { tools: calls.map(({ name }) => name) }),
    ...(end && { end }),
  };
}
