import type { Bus } from "@voxbus/bus";
import { httpUrl, type Log } from "@voxbus/subscriber";
import { z } from "zod";
import { eventKinds } from "../events/api-event.ts";
import { Name } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { hasForbiddenHost } from "../webhooks/forbidden-addresses.ts";
import { TooManyWebhooksError } from "../webhooks/webhook-store.ts";
import { configuredWebhook, type Webhooks } from "../webhooks/webhooks.ts";
import { requireBus } from "./require.ts";

const Wanted = z.strictObject({
  url: httpUrl.pipe(z.string().max(1024)).describe("http or https address that events are posted to"),
  kinds: z.array(z.enum(eventKinds)).min(1).max(eventKinds.length).describe("the kinds of event that are posted"),
});
const Shown = Wanted.extend({ name: z.string(), createdAt: z.number().describe("ms since the epoch") });
const ByName = z.object({
  name: Name.refine((name) => name !== configuredWebhook, {
    message: "is the name of the variable's webhook",
    params: { problem: "bad-name" },
  }),
});

/** Dependencies of the routes of webhooks. */
export interface WebhookParts {
  readonly bus: Bus;
  readonly webhooks: Pick<Webhooks, "store">;
  /** True if a webhook may have a link-local address. */
  readonly linkLocal: boolean;
  readonly log: Log;
}

/** Adds the routes of the webhooks that are set over the API. */
export function addWebhookRoutes(app: App, { bus, webhooks: { store }, linkLocal, log }: WebhookParts): void {
  addRoute(app, "get", "/api/webhooks", {
    summary: "The webhooks that were set here, without their secrets",
    scope: "admin",
    answer: z.object({ webhooks: z.array(Shown.extend({ kinds: z.array(z.string()) })) }),
    problems: [],
    handle: () => ({
      webhooks: store
        .entries()
        .map(([name, { url, kinds, createdAt }]) => ({ name, url, kinds: [...kinds], createdAt })),
    }),
  });

  addRoute(app, "put", "/api/webhooks/{name}", {
    summary: "Sets a webhook. Its secret, which signs every post, is shown once: when it is new",
    scope: "admin",
    params: ByName,
    body: Wanted,
    answer: Shown.extend({
      secret: z.string().optional().describe("of a new webhook, as Standard Webhooks writes it"),
    }),
    problems: ["bad-name", "too-many-webhooks", "revision-conflict", "bus-away", "storage-full"],
    handle: async ({ params: { name }, body: { url, kinds } }) => {
      if (!linkLocal && hasForbiddenHost(new URL(url))) {
        const message = "must not be a link-local address (VOXBUS_MONITOR_WEBHOOK_LINK_LOCAL)";
        throw new Problem("bad-field", `url: ${message}`, { errors: [{ field: "url", message }] });
      }
      requireBus(bus);
      try {
        const { secret, createdAt, isNew } = await store.set(name, { url, kinds });
        log.info({ webhook: name, kinds }, "webhook set");
        return { name, url, kinds, createdAt, ...(isNew && { secret }) };
      } catch (cause) {
        if (cause instanceof TooManyWebhooksError) throw new Problem("too-many-webhooks", cause.message, { cause });
        throw cause;
      }
    },
  });

  addRoute(app, "delete", "/api/webhooks/{name}", {
    summary: "Removes a webhook, with the events that wait for it",
    scope: "admin",
    params: ByName,
    answer: z.object({ name: z.string(), removed: z.boolean().describe("false: there was none") }),
    problems: ["bad-name", "bus-away"],
    handle: async ({ params: { name } }) => {
      requireBus(bus);
      const removed = await store.remove(name);
      log.info({ webhook: name, removed }, "webhook removed");
      return { name, removed };
    },
  });
}
