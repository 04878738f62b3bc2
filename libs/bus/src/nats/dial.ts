import { setTimeout as sleep } from "node:timers/promises";
import { connect, errors, type NatsConnection } from "@nats-io/transport-node";
import type { BusLog, LoginConfig } from "../config.ts";
import { corkWrites } from "./cork.ts";
import { readCredentials } from "./credentials.ts";
import { findTlsRefusal } from "./tls-refusal.ts";

const retryMs = 500;
/** Errors that no retry can help. */
const hopeless = [errors.AuthorizationError, errors.UserAuthenticationExpiredError, errors.InvalidArgumentError];

/** The configuration of a connection, and the name under which NATS lists it. */
export type ConnectionConfig = LoginConfig & { readonly name?: string };

/**
 * Names the prefix of the subjects on which a program gets answers. It is the program's own, so that NATS can keep others
 * from reading them.
 */
export function inboxPrefixOf(name: string | undefined): string {
  return name === undefined ? "_INBOX" : `_INBOX.${name.replaceAll(/[^\w-]/g, "_")}`;
}

/**
 * Connects to NATS. Tries until NATS answers or `signal` aborts. Throws at once when NATS refuses the credentials or a
 * file cannot be read. The connection then reconnects forever.
 */
export async function dial(config: ConnectionConfig, log: BusLog, signal?: AbortSignal): Promise<NatsConnection> {
  const credentials = readCredentials(config, log);
  const options = {
    ...credentials,
    ...(config.name === undefined ? {} : { name: config.name }),
    inboxPrefix: inboxPrefixOf(config.name),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    timeout: 2000,
    pingInterval: 5000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
  for (let logged = false; ;) {
    signal?.throwIfAborted();
    try {
      // nats.js adds the peers that a refusing server of a cluster names, and would try them all without a pause or an end.
      const probe = await connect({ ...options, ignoreClusterUpdates: true });
      await probe.close();
      return corkWrites(await connect(options));
    } catch (cause) {
      const url = credentials.servers.map((address) => `nats://${address}`).join(",");
      if (cause instanceof Error && hopeless.some((kind) => cause instanceof kind)) {
        throw new Error(`NATS at ${url} cannot be used: ${cause.message}`, { cause });
      }
      const refusal = await findRefusal(credentials, cause);
      if (refusal !== undefined) {
        throw new Error(`NATS at ${url} cannot be used: it refuses the client certificate (${refusal})`, { cause });
      }
      if (!logged) log.warn({ url, err: cause }, "NATS unavailable, retrying");
      logged = true;
      await sleep(retryMs, undefined, { signal });
    }
  }
}

async function findRefusal(
  { servers, tls }: ReturnType<typeof readCredentials>,
  cause: unknown,
): Promise<string | undefined> {
  if (!(tls && cause instanceof errors.TimeoutError)) return undefined;
  for (const server of servers) {
    const refusal = await findTlsRefusal(server, tls);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
