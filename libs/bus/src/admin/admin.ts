import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import type { BucketName, StreamName } from "@voxbus/protocol";
import type { BusConfig, BusLog } from "../config.ts";
import { createNatsClock } from "../nats/clock.ts";
import { openConnection, type Connection } from "../nats/connection.ts";
import { explainDenial, isMissing } from "../nats/nats-errors.ts";
import { findDenied } from "./denied.ts";
import { copyStream, restoreStream, type StreamCopy } from "./snapshot.ts";
import { readStreamStates, type StreamState } from "./stream-states.ts";

const apiTimeoutMs = 2000;

/** A NATS server, as it greets its clients. */
export interface ServerState {
  readonly version: string;
  readonly name: string;
  /** The name of its cluster; absent on a single server. */
  readonly cluster?: string;
  /** True if the server has JetStream on, for any account. */
  readonly jetStream: boolean;
  /** The server's address, without credentials. */
  readonly address: string;
}

/** The JetStream storage of our account, in bytes. -1 as a limit: unlimited. */
export interface AccountState {
  readonly storage: number;
  readonly maxStorage: number;
}

/** The connection of an operator's tool to NATS. It looks at what programs use, and changes nothing unless it is asked to. */
export interface Admin {
  server(): ServerState;
  /** The prefix of this system (`VOXBUS_NATS_PREFIX`), or an empty text. */
  readonly prefix: string;
  /** Reads the storage of the account. Throws if JetStream is off or does not answer within 2 s. */
  account(): Promise<AccountState>;
  /** Reads every stream and bucket of the contract. One that does not answer within 2 s has the state `unanswered`. */
  streams(): Promise<readonly StreamState[]>;
  /** Gives the subjects of a list, as docs/bus.md writes them, to which NATS does not let us subscribe. */
  denied(subjects: readonly string[]): Promise<readonly string[]>;
  /** How far the clock of this machine is ahead of that of NATS, in ms. Undefined until `streams` has found one. */
  aheadMs(): number | undefined;
  /**
   * Copies a stream or bucket as it is at one moment, consumers included. `take` gets each piece, 128 KiB at most, and the
   * next one comes when it has resolved. Undefined if it does not exist. Throws CopyError, or the signal's reason.
   */
  copy(
    name: StreamName | BucketName,
    take: (piece: Uint8Array) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<StreamCopy | undefined>;
  /** Creates a stream or bucket from its copy. Throws CopyError if it exists or NATS refuses it, or the signal's reason. */
  restore(
    name: StreamName | BucketName,
    copy: StreamCopy,
    pieces: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Removes a stream or bucket with all that it holds. It may be missing. */
  remove(name: StreamName | BucketName): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects an operator's tool to NATS. It waits and throws as `connectBus` does, but needs no JetStream and creates
 * nothing.
 */
export async function connectAdmin(
  config: BusConfig & { readonly name?: string },
  log: BusLog,
  signal?: AbortSignal,
): Promise<Admin> {
  const connection = await openConnection(config, log, signal);
  const jsm = await jetstreamManager(connection.nc, { timeout: apiTimeoutMs, checkAPI: false });
  const clock = createNatsClock();
  const { names } = connection;
  let isClockKnown = false;
  const learn: typeof clock.learn = (ts, sentAt) => {
    isClockKnown ||= ts !== undefined;
    clock.learn(ts, sentAt);
  };
  return {
    prefix: config.VOXBUS_NATS_PREFIX ?? "",
    server: () => describeServer(connection),
    account: () => readAccount(jsm),
    streams: () => readStreamStates({ jsm, names, learn }, config),
    denied: (subjects) => findDenied(connection, subjects),
    aheadMs: () => (isClockKnown ? Date.now() - clock.now() : undefined),
    copy: (name, take, signal) => copyStream(connection, names.streamOf(name), take, signal),
    restore: (name, copy, pieces, signal) =>
      restoreStream(connection, { stream: names.streamOf(name), copy, pieces, sizes: config }, signal),
    remove: async (name) => void (await jsm.streams.delete(names.streamOf(name)).catch(ignoreMissing)),
    close: connection.close,
  };
}

function describeServer({ nc }: Connection): ServerState {
  const { version = "", server_name: name = "", cluster, jetstream = false } = nc.info ?? {};
  return { version, name, ...(cluster && { cluster }), jetStream: jetstream, address: nc.getServer() };
}

async function readAccount(jsm: JetStreamManager): Promise<AccountState> {
  const { storage, limits } = await jsm.getAccountInfo();
  return { storage, maxStorage: limits.max_storage };
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw explainDenial(error);
}
