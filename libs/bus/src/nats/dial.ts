import { setTimeout as sleep } from "node:timers/promises";
import { connect, errors, type NatsConnection } from "@nats-io/transport-node";
import type { BusLog, LoginConfig } from "../config.ts";
import { NatsSetupError } from "../errors.ts";
import { corkWrites } from "./cork.ts";
import { readCredentials } from "./credentials.ts";
import { createNames } from "../names.ts";
import { findObstacle, findOldVersion } from "./find-obstacle.ts";

const retryMs = 500;
const seekEveryMs = 2000;
/** Errors that no retry can help. */
const hopeless = [errors.AuthorizationError, errors.UserAuthenticationExpiredError, errors.InvalidArgumentError];

type Credentials = ReturnType<typeof readCredentials>;

/** The configuration of a connection, and the name under which NATS lists it. */
export type ConnectionConfig = LoginConfig & { readonly name?: string };

/**
 * Connects to NATS. Tries until NATS answers or `signal` aborts. Throws at once when NATS refuses the credentials or a
 * file cannot be read. The connection then reconnects forever.
 */
export async function dial(config: ConnectionConfig, log: BusLog, signal?: AbortSignal): Promise<NatsConnection> {
  const credentials = readCredentials(config, log);
  const options = {
    ...credentials,
    ...(config.name === undefined ? {} : { name: config.name }),
    inboxPrefix: createNames(config.VOXBUS_NATS_PREFIX).inboxPrefix(config.name),
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
      const server = probe.getServer();
      const old = probe.info && findOldVersion(probe.info);
      await probe.close();
      if (old !== undefined) throw refuse([server], old);
      const nc = corkWrites(await connect(options));
      void reportObstacles(nc, credentials, log);
      return nc;
    } catch (cause) {
      if (cause instanceof NatsSetupError) throw cause;
      if (cause instanceof Error && hopeless.some((kind) => cause instanceof kind)) {
        throw refuse(credentials.servers, cause.message, cause);
      }
      const found = await findObstacles(credentials);
      if (found !== undefined) throw refuse([found.server], found.reason, cause);
      if (!logged) log.warn({ url: urlOf(credentials.servers), err: cause }, "NATS unavailable, retrying");
      logged = true;
      await sleep(retryMs, undefined, { signal });
    }
  }
}

interface Obstacle {
  readonly server: string;
  readonly reason: string;
}

/** Finds a server that no retry can help. */
async function findObstacles({ servers, tls }: Credentials): Promise<Obstacle | undefined> {
  for (const server of servers) {
    const reason = await findObstacle(server, tls);
    if (reason !== undefined) return { server, reason };
  }
  return undefined;
}

/** Logs, once each, the reasons why a lost connection does not come back, and a server that is too old. */
async function reportObstacles(nc: NatsConnection, credentials: Credentials, log: BusLog): Promise<void> {
  let soughtAt = -Infinity;
  let told: string | undefined;
  for await (const { type } of nc.status()) {
    let obstacle: Obstacle | undefined;
    if (type === "reconnect") {
      const reason = nc.info && findOldVersion(nc.info);
      if (reason !== undefined) obstacle = { server: nc.getServer(), reason };
      told = undefined;
    } else if (type === "reconnecting" && performance.now() - soughtAt > seekEveryMs) {
      soughtAt = performance.now();
      obstacle = await findObstacles(credentials);
    }
    if (obstacle === undefined || obstacle.reason === told) continue;
    told = obstacle.reason;
    log.warn(obstacle, "NATS found unusable");
  }
}

function urlOf(servers: readonly string[]): string {
  return servers.map((address) => `nats://${address}`).join(",");
}

function refuse(servers: readonly string[], problem: string, cause?: unknown): NatsSetupError {
  return new NatsSetupError(`NATS at ${urlOf(servers)} cannot be used: ${problem}`, { cause });
}
