import type { Bus } from "@voxbus/bus";
import { buckets, Dialogue } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { toJsonLines, toText } from "./dialogue-export.ts";
import { requireBus } from "./require.ts";

const formats = {
  jsonl: { type: "application/x-ndjson", write: toJsonLines },
  text: { type: "text/plain", write: toText },
} as const;

/** Dependencies of the routes about dialogues. */
interface DialogueParts {
  readonly bus: Bus;
  readonly log: Log;
  /** True if the API may show what people say (VOXBUS_MONITOR_TRANSCRIPTS). */
  readonly transcripts: boolean;
  /** Forgets what this monitor has seen of a device's words. */
  readonly forget: (device: string) => void;
}

/** Adds the routes of what was said with a device, online or not. It is shown only if the operator wants that. */
export function addDialogueRoutes(app: App, { bus, log, transcripts, forget }: DialogueParts): void {
  const bucket = bus.bucket(buckets.dialogues);
  const read = async (id: string): Promise<Dialogue> => {
    if (!transcripts) {
      throw new Problem("transcripts-off", "what people say is shown only with VOXBUS_MONITOR_TRANSCRIPTS=1");
    }
    requireBus(bus);
    return (await bucket.get(id))?.value ?? { messages: [], turns: [] };
  };
  const shared = {
    params: ByDevice,
    scope: "admin",
    problems: ["bad-device-id", "transcripts-off", "bus-away"],
  } as const;

  addRoute(app, "get", "/api/devices/{id}/dialogue", {
    summary: "What was said with a device in its last turns, oldest first; empty if nothing is kept",
    ...shared,
    answer: Dialogue.extend({ id: z.string() }),
    handle: async ({ params: { id } }) => ({ id, ...(await read(id)) }),
  });

  addRoute(app, "get", "/api/devices/{id}/dialogue/export", {
    summary: "The same as a file: JSON lines or text",
    ...shared,
    query: z.strictObject({
      format: z
        .enum(["jsonl", "text"])
        .default("jsonl")
        .describe("jsonl: a line for each turn; text: for each message"),
    }),
    problems: [...shared.problems, "bad-field"],
    answer: z.string().describe("application/x-ndjson or text/plain, in UTF-8"),
    types: { answer: "application/x-ndjson" },
    handle: async ({ params: { id }, query: { format }, context }) => {
      const { type, write } = formats[format];
      const file = `dialogue-${id.replaceAll(":", "-")}.${format === "text" ? "txt" : format}`;
      return context.body(write(await read(id)), 200, {
        "content-type": `${type}; charset=utf-8`,
        "content-disposition": `attachment; filename="${file}"`,
      });
    },
  });

  addRoute(app, "delete", "/api/devices/{id}/dialogue", {
    summary: "Erases what was said with a device; what is being said now is kept again",
    scope: "admin",
    params: ByDevice,
    answer: z.object({ id: z.string(), erased: z.boolean().describe("false: there was nothing to erase") }),
    problems: ["bad-device-id", "bus-away"],
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      const erased = (await bucket.get(id)) !== undefined;
      if (erased) await bucket.remove(id);
      forget(id);
      log.info({ device: id, erased }, "dialogue erased");
      return { id, erased };
    },
  });
}
