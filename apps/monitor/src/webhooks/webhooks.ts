import type { Meter } from "@opentelemetry/api";
import type { StoredWebhook } from "@voxbus/protocol";
import { flag, httpUrl, list, startAtZero, type Bus, type Closer, type Log } from "@voxbus/subscriber";
import { z } from "zod";
import { eventKinds, type ApiEvent, type EventKind } from "../events/api-event.ts";
import type { Receiver } from "./post.ts";
import { openWebhookStore, type WebhookStore } from "./webhook-store.ts";
import { createWebhook, postOutcomes, type Post, type Webhook } from "./webhook.ts";

/** The name of the webhook of the variable, beside those that are set over the API. */
export const configuredWebhook = "VOXBUS_MONITOR_WEBHOOK";

/** The variables of the webhooks. */
export const webhookVariables = {
  VOXBUS_MONITOR_WEBHOOK: httpUrl
    .optional()
    .describe(
      "http or https address that events are posted to as JSON: alerts, unless VOXBUS_MONITOR_WEBHOOK_KINDS is set",
    ),
  VOXBUS_MONITOR_WEBHOOK_KINDS: list
    .default(["alert"])
    .pipe(z.array(z.enum(eventKinds)).min(1))
    .describe("kinds of event that are posted to VOXBUS_MONITOR_WEBHOOK, such as alert,turn"),
  VOXBUS_MONITOR_WEBHOOK_SECRET: z
    .string()
    .min(24, "must have at least 24 characters")
    .optional()
    .describe("secret that signs the posts to VOXBUS_MONITOR_WEBHOOK, at least 24 characters"),
  VOXBUS_MONITOR_WEBHOOK_LINK_LOCAL: flag
    .default(false)
    .describe("1: webhooks may post to link-local addresses, where clouds keep the credentials of their machines"),
};
type WebhookConfig = z.infer<z.ZodObject<typeof webhookVariables>>;

/** Posts events to every webhook that wants them. Nothing waits for it. */
export interface Webhooks extends Closer {
  readonly store: WebhookStore;
  /** True if a webhook wants events of a kind. */
  wants(kind: EventKind): boolean;
  /** Posts an event. While a receiver does not take events, the oldest are dropped beyond 1000. */
  post(event: ApiEvent): void;
  /**
   * Posts an event that is never dropped. `ended` is called once every webhook has taken it or given it up, and not if the
   * monitor stops before.
   */
  deliver(event: ApiEvent, ended: () => Promise<unknown>): void;
}

interface Open {
  readonly kinds: ReadonlySet<string>;
  readonly webhook: Webhook;
  readonly closing: AbortController;
}

/** Opens the webhooks; resolves once those of the API are read. They end with `signal`. */
export async function openWebhooks(parts: {
  readonly bus: Bus;
  readonly config: WebhookConfig;
  readonly log: Log;
  readonly meter: Meter;
  readonly signal: AbortSignal;
}): Promise<Webhooks> {
  const { bus, config, log, meter, signal } = parts;
  const description = "Events posted to webhooks, by outcome";
  const posts = startAtZero(meter.createCounter("voxbus_monitor_webhook_posts", { description }), {
    webhook: [configuredWebhook],
    outcome: postOutcomes,
  });
  const open = new Map<string, Open>();
  const end = (ended: Post["ended"]) => {
    ended?.().catch((err: unknown) => log.warn({ err }, "posted event not recorded"));
  };
  /** Ends a webhook, and gives the events that waited for it. */
  const close = (name: string): readonly Post[] => {
    const found = open.get(name);
    found?.closing.abort();
    open.delete(name);
    return found?.webhook.take() ?? [];
  };
  const start = (name: string, kinds: readonly string[], to: Omit<Receiver, "linkLocal">) => {
    const waiting = close(name);
    const closing = new AbortController();
    const webhook = createWebhook({
      name,
      receiver: { ...to, linkLocal: config.VOXBUS_MONITOR_WEBHOOK_LINK_LOCAL },
      log,
      posted: (outcome) => posts.add(1, { webhook: name, outcome }),
      signal: AbortSignal.any([signal, closing.signal]),
    });
    open.set(name, { kinds: new Set(kinds), webhook, closing });
    for (const post of waiting) webhook.add(post);
  };
  const { VOXBUS_MONITOR_WEBHOOK: url, VOXBUS_MONITOR_WEBHOOK_SECRET: secret } = config;
  if (url !== undefined) start(configuredWebhook, config.VOXBUS_MONITOR_WEBHOOK_KINDS, { url, secret });
  const store = await openWebhookStore(bus, (name, webhook: StoredWebhook | undefined) => {
    if (webhook === undefined) for (const { ended } of close(name)) end(ended);
    else start(name, webhook.kinds, webhook);
  });
  const listening = (kind: EventKind) => [...open.values()].filter(({ kinds }) => kinds.has(kind));

  return {
    store,
    wants: (kind) => listening(kind).length > 0,
    post(event) {
      for (const { webhook } of listening(event.kind)) webhook.add({ event });
    },
    deliver(event, ended) {
      const all = listening(event.kind);
      let left = all.length;
      if (left === 0) end(ended);
      for (const { webhook } of all) {
        webhook.add({
          event,
          async ended() {
            left -= 1;
            if (left === 0) await ended();
          },
        });
      }
    },
    close() {
      store.close();
      // What waits is not ended: the next monitor posts the alerts.
      for (const name of open.keys()) close(name);
    },
  };
}
