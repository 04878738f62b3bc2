import { z } from "zod";
import { ApiEvent, EventGap, eventKinds, type EventKind } from "../events/api-event.ts";
import type { EventLog } from "../events/event-log.ts";
import { streamEvents, type SendNamed } from "../http/event-stream.ts";
import { DeviceId } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import type { Live } from "../live/live-events.ts";
import type { Caller } from "../tokens/token-store.ts";

/** `all`, or names of kinds with commas between them. */
const Kinds = z
  .string()
  .max(1024)
  .transform((text) => (text === "all" ? [...eventKinds] : text.split(",").map((kind) => kind.trim() as EventKind)))
  .pipe(z.array(z.enum(eventKinds)))
  .describe(`all, or some of ${eventKinds.join(", ")} with commas between them`);

const Query = z.strictObject({
  kinds: Kinds.optional().describe("each event of these kinds (`event`), and what was missed (`gap`)"),
  device: DeviceId.optional().describe("only this device"),
});

/** Names the reader's token, and leaves out what people say: that needs the scope `admin`, as their dialogues do. */
function tailor(send: SendNamed, { name: token, scope }: Caller): SendNamed {
  return (name, data, id) => {
    const isAdmin = scope === "admin";
    if (name === "hello") {
      const own = { token: { name: token, scope }, ...(!isAdmin && { transcripts: false }) };
      return send(name, { ...(data as object), ...own }, id);
    }
    if (isAdmin) return send(name, data, id);
    if (name !== "event" && name !== "turn") return send(name, data, id);
    send(name, { ...(data as object), text: undefined, heard: undefined, said: undefined }, id);
  };
}

/** Dependencies of the event streams. */
interface EventsParts {
  readonly live: Live;
  readonly events: EventLog;
  readonly signal: AbortSignal;
}

/**
 * Adds the route of the event streams, which end with `signal`. With `kinds` a stream has single events, and a reader that
 * names the last one gets those that came since. Otherwise it has the state that the page shows: of the fleet, or of one device.
 */
export function addEventsRoute(app: App, { live, events, signal }: EventsParts): void {
  addRoute(app, "get", "/api/events", {
    summary:
      "What happens, as Server-Sent Events: with `kinds` single events, which go on after `Last-Event-ID`; without it the state of the fleet or of a device, again and again",
    query: Query,
    headers: z.object({
      "last-event-id": z.string().max(100).optional().describe("with `kinds`: the id of the last event that was read"),
    }),
    answer: z.union([ApiEvent, EventGap]).describe("with `kinds`: the data of an `event`, or of a `gap`"),
    types: { answer: "text/event-stream" },
    problems: ["bad-field"],
    handle({ query: { kinds, device }, context }) {
      const filter = kinds && { kinds: new Set(kinds), device };
      const after = context.req.header("last-event-id");
      const open = (given: SendNamed) => {
        const send = tailor(given, context.get("caller"));
        if (filter === undefined) return device === undefined ? live.fleet(send) : live.device(device, send);
        const event = (one: ApiEvent, id: string) => send("event", one, id);
        return events.follow(filter, { event, gap: (gap) => send("gap", gap) }, after);
      };
      return streamEvents(context, open, signal);
    },
  });
}
