import { randomBytes } from "node:crypto";
import type { Bus, Closer } from "@voxbus/bus";
import { buckets, type StoredWebhook } from "@voxbus/protocol";

/** The most webhooks that are set over the API. */
export const maxWebhooks = 20;

/** There are as many webhooks as there may be. */
export class TooManyWebhooksError extends Error {
  override readonly name = "TooManyWebhooksError";
}

/** The webhooks that were set over the API, which all monitors share. */
export interface WebhookStore extends Closer {
  entries(): readonly (readonly [name: string, webhook: StoredWebhook])[];
  /** Sets a webhook, and gives it with its secret: the one before stays. Throws TooManyWebhooksError, BusAwayError. */
  set(
    name: string,
    webhook: Pick<StoredWebhook, "url" | "kinds">,
  ): Promise<StoredWebhook & { readonly isNew: boolean }>;
  /** Removes a webhook. False if there was none of this name. Throws BusAwayError. */
  remove(name: string): Promise<boolean>;
}

/** Opens the store; resolves once all webhooks are read. `changed` is called with each change, and for each at the start. */
export async function openWebhookStore(
  bus: Bus,
  changed: (name: string, webhook: StoredWebhook | undefined) => void,
): Promise<WebhookStore> {
  const bucket = bus.bucket(buckets.webhooks);
  const webhooks = new Map<string, StoredWebhook>();
  const watch = await bucket.watch((name, entry) => {
    if (entry?.value === undefined) webhooks.delete(name);
    else webhooks.set(name, entry.value);
    changed(name, entry?.value);
  });
  return {
    entries: () => [...webhooks].toSorted(([one], [other]) => (one < other ? -1 : 1)),
    async set(name, { url, kinds }) {
      let isNew = true;
      let webhook: StoredWebhook | undefined;
      await bucket.modify(name, (found) => {
        isNew = found === undefined;
        if (isNew && webhooks.size >= maxWebhooks)
          throw new TooManyWebhooksError(`there are ${maxWebhooks} webhooks, remove one`);
        const fresh = { secret: `whsec_${randomBytes(24).toString("base64")}`, createdAt: Date.now() };
        webhook = { ...fresh, ...found, url, kinds };
        return webhook;
      });
      return { ...webhook!, isNew };
    },
    async remove(name) {
      const found = (await bucket.get(name)) !== undefined;
      if (found) await bucket.remove(name);
      return found;
    },
    close: () => watch.close(),
  };
}
