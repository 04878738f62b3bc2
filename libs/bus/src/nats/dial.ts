import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, credsAuthenticator, errors, type NatsConnection } from "@nats-io/transport-node";
import type { BusConfig, BusLog } from "../config.ts";
import { corkWrites } from "./cork.ts";

const retryMs = 500;

/** The configuration of a connection, and the name under which NATS lists it. */
export type ConnectionConfig = BusConfig & { readonly name?: string };

/**
 * Connects to NATS. Tries until NATS answers or `signal` aborts. Throws at once when NATS refuses the credentials or a
 * file cannot be read. The connection then reconnects forever.
 */
export async function dial(config: ConnectionConfig, log: BusLog, signal?: AbortSignal): Promise<NatsConnection> {
  const servers = config.VOXBUS_NATS_URL.split(",").map((url) => url.trim());
  const creds = config.VOXBUS_NATS_CREDS;
  const options = {
    servers,
    ...(config.name === undefined ? {} : { name: config.name }),
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(readFileSync(creds)) }),
    ...(config.VOXBUS_NATS_CA === undefined ? {} : { tls: { caFile: config.VOXBUS_NATS_CA } }),
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
      const url = hidePasswords(servers);
      if (cause instanceof errors.AuthorizationError || cause instanceof errors.InvalidArgumentError) {
        throw new Error(`NATS at ${url} cannot be used: ${cause.message}`, { cause });
      }
      if (!logged) log.warn({ url, err: cause }, "NATS unavailable, retrying");
      logged = true;
      await sleep(retryMs, undefined, { signal });
    }
  }
}

function hidePasswords(servers: readonly string[]): string {
  return servers.map((url) => url.replace(/\/\/[^@/]*@/, "//")).join(",");
}
