import { createHmac } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { describeCause, type ErrorCause } from "@voxbus/subscriber";
import type { ApiEvent } from "../events/api-event.ts";
import { ForbiddenAddressError, hasForbiddenHost, lookupAllowed } from "./forbidden-addresses.ts";

/** The longest wait for an answer, ms. */
const timeoutMs = 5000;

/** A receiver of posts. */
export interface Receiver {
  /** An http or https address. */
  readonly url: string;
  /** Signs the posts. Without it they are not signed. */
  readonly secret?: string | undefined;
  /** True if it may have a link-local address. */
  readonly linkLocal: boolean;
}

/** The answer to a post: its status, or the reason why there was none in time. */
export interface PostAnswer {
  readonly status?: number;
  readonly cause?: ErrorCause;
}

/** Posts an event once, in at most 5 s. Redirects are not followed. It never rejects. */
export async function postOnce(to: Receiver, event: ApiEvent, signal: AbortSignal): Promise<PostAnswer> {
  const body = JSON.stringify(event);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeoutMs);
  const abort = () => patience.abort();
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return { status: await send(to, { body, headers: headersOf(to, event.key, body) }, patience.signal) };
  } catch (error) {
    // The error's text may hold the address, and with it a secret.
    return { cause: describeCause(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Signs a post as Standard Webhooks does: HMAC-SHA256 over the id, the time in seconds and the body. */
export function sign(
  secret: string,
  post: { readonly id: string; readonly seconds: number; readonly body: string },
): string {
  const [, encoded] = /^whsec_(.+)$/.exec(secret) ?? [];
  const key = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, "base64");
  return `v1,${createHmac("sha256", key).update(`${post.id}.${post.seconds}.${post.body}`).digest("base64")}`;
}

function headersOf({ secret }: Receiver, id: string, body: string): Record<string, string | number> {
  const seconds = Math.floor(Date.now() / 1000);
  return {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "user-agent": "voxbus",
    // If an answer is lost, the event is posted again under the same key.
    "idempotency-key": id,
    "webhook-id": id,
    "webhook-timestamp": seconds,
    ...(secret !== undefined && { "webhook-signature": sign(secret, { id, seconds, body }) }),
  };
}

function send(
  { url, linkLocal }: Receiver,
  { body, headers }: { readonly body: string; readonly headers: Record<string, string | number> },
  signal: AbortSignal,
): Promise<number> {
  const address = new URL(url);
  return new Promise((resolve, reject) => {
    // An address in the place of a name is not looked up.
    if (!linkLocal && hasForbiddenHost(address)) throw new ForbiddenAddressError("the address is forbidden");
    const request = address.protocol === "https:" ? requestHttps : requestHttp;
    const lookup = linkLocal ? {} : { lookup: lookupAllowed };
    const sent = request(address, { method: "POST", headers, agent: false, signal, ...lookup }, (response) => {
      // The rest of the answer is of no use, and may never end.
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
