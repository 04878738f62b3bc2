import { JetStreamApiError, type JetStreamManager, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import type { BusLog, StreamSizes } from "../config.ts";
import { DeniedError, ForeignError, NatsSetupError } from "../errors.ts";
import type { Names } from "../names.ts";
import type { NatsClock } from "../nats/clock.ts";
import { explainDenial, isMissing, isNameTaken, isOverlap, isQuota, isTransient } from "../nats/nats-errors.ts";
import { compareOwn, isOwn, markOwn, type Difference } from "./ownership.ts";
import { defineStreams, fillSizes, megabyte, type Definition } from "./stream-definitions.ts";

/**
 * Creates or updates one stream, or all of them, to match `defineStreams`. Limits that an operator changed stay. Throws an
 * error that names the stream when NATS rejects the change or does not permit to create it, or when voxbus did not create
 * it; or the storage that is needed when NATS grants less. A program that may not update a stream uses it as it is.
 */
export type EnsureStreams = (name?: string) => Promise<void>;

/** Dependencies of `EnsureStreams`. */
interface StreamDeps {
  readonly jsm: JetStreamManager;
  readonly names: Names;
  /** Told the time at which NATS answered a request that was sent at `sentAt` (`performance.now()`). */
  readonly clock: Pick<NatsClock, "learn">;
  readonly log: BusLog;
  /** Logs the limits that an operator changed, once for each stream. */
  readonly logKept: (stream: string, kept: Difference["kept"]) => void;
}

function createKeptLog(log: BusLog): StreamDeps["logKept"] {
  const logged = new Set<string>();
  return (stream, limits) => {
    if (Object.keys(limits).length === 0 || logged.has(stream)) return;
    logged.add(stream);
    log.info({ stream, limits }, "stream limits of the operator kept");
  };
}

/** Creates `EnsureStreams`. Simultaneous calls for one stream share one run. */
export function createEnsureStreams(given: Omit<StreamDeps, "logKept">, sizes: StreamSizes): EnsureStreams {
  const definitions = defineStreams(given.names, sizes);
  const deps = { ...given, logKept: createKeptLog(given.log) };
  const running = new Map<string, Promise<void>>();

  const ensureWithin = async (definition: Definition): Promise<void> => {
    try {
      await ensureStream(deps, definition);
    } catch (error) {
      if (!isQuota(error)) throw error;
      // Streams that exist may still reserve what they no longer need.
      await Promise.all(definitions.map((other) => shrinkStream(deps, other)));
      try {
        await ensureStream(deps, definition);
      } catch (cause) {
        if (!isQuota(cause)) throw cause;
        throw await explainQuota(deps.jsm, sizes, cause);
      }
    }
  };

  const ensureOne = (definition: Definition): Promise<void> => {
    const { name } = definition.config;
    let promise = running.get(name);
    if (promise === undefined) {
      promise = ensureWithin(definition).finally(() => running.delete(name));
      running.set(name, promise);
    }
    return promise;
  };

  return async (name) => {
    await Promise.all(definitions.filter(({ config }) => name === undefined || config.name === name).map(ensureOne));
  };
}

/** Explains that NATS grants too little storage, with the number that is needed. */
async function explainQuota(jsm: JetStreamManager, given: StreamSizes, cause: unknown): Promise<Error> {
  const { VOXBUS_NATS_REPLICAS: replicas, ...sizes } = fillSizes(given);
  const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  const copies = replicas === 1 ? "" : ` in each of ${replicas} copies, ${all * replicas} MB in all`;
  const granted = await jsm.getAccountInfo().then(
    ({ limits }) => limits.max_storage,
    () => -1,
  );
  const limit = granted > 0 ? ` This account may use ${Math.floor(granted / megabyte)} MB.` : "";
  return new NatsSetupError(
    `NATS has too little storage: the streams and buckets need ${all} MB${copies}.${limit} Raise the limit of NATS, or lower ${Object.keys(sizes).join(", ")}`,
    { cause },
  );
}

/** Brings a stream of ours that exists and is larger than defined up to date. */
async function shrinkStream(deps: StreamDeps, { config, chosen }: Definition): Promise<void> {
  try {
    const { config: current } = await deps.jsm.streams.info(config.name);
    if (!isOwn(current)) return;
    const { changes } = compareOwn(current, config, chosen);
    if (Number(changes["max_bytes"]) < current.max_bytes) await updateStream(deps, config.name, changes);
  } catch (error) {
    if (!isMissing(error) && !(explainDenial(error) instanceof DeniedError)) throw error;
  }
}

async function ensureStream(deps: StreamDeps, definition: Definition): Promise<void> {
  const { config, chosen } = definition;
  const { name } = config;
  try {
    const current = await findStream(deps, definition);
    if (!isOwn(current)) throw new ForeignError(nameStream(name), "has the name of one of voxbus");
    const { changes, kept } = compareOwn(current, config, chosen);
    deps.logKept(name, kept);
    if (Object.keys(changes).length > 0) await updateStream(deps, name, changes);
  } catch (cause) {
    const denial = explainDenial(cause);
    if (denial instanceof DeniedError) {
      throw new DeniedError(`the stream ${name} cannot be looked up or created: ${denial.message}`, { cause });
    }
    if (isOverlap(cause)) throw await explainOverlap(deps.jsm, config, cause);
    if (!(cause instanceof JetStreamApiError) || isTransient(cause) || isQuota(cause)) throw cause;
    throw new Error(`the stream ${name} cannot be created or updated as docs/bus.md says: ${cause.message}`, { cause });
  }
}

function nameStream(name: string): string {
  return name.startsWith("KV_") ? `the bucket ${name.slice(3)}` : `the stream ${name}`;
}

/** Finds the stream that stores the subjects of one of ours. */
async function explainOverlap(jsm: JetStreamManager, { name, subjects = [] }: Definition["config"], cause: unknown) {
  for (const subject of subjects) {
    // A program that may not look it up names only its own stream.
    const names = await jsm.streams
      .names(subject)
      .next()
      .catch(() => []);
    const other = names.find((one) => one !== name);
    if (other !== undefined) return new ForeignError(nameStream(other), `stores ${subject}`, { cause });
  }
  return new ForeignError("a stream", `stores subjects of ${name}`, { cause });
}

async function updateStream(
  { jsm, log }: Pick<StreamDeps, "jsm" | "log">,
  name: string,
  changes: Difference["changes"],
): Promise<void> {
  try {
    await jsm.streams.update(name, changes);
  } catch (error) {
    const err = explainDenial(error);
    if (!(err instanceof DeniedError)) throw error;
    log.warn({ err, stream: name, fields: Object.keys(changes) }, "stream update denied");
  }
}

async function findStream({ jsm, clock }: StreamDeps, { config, chosen }: Definition): Promise<StreamConfig> {
  const learn = async (asked: Promise<StreamInfo>) => {
    const sentAt = performance.now();
    const { config, ts } = await asked;
    clock.learn(ts, sentAt);
    return config;
  };
  try {
    return await learn(jsm.streams.info(config.name));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    return await learn(jsm.streams.add(markOwn(config, chosen)));
  } catch (error) {
    if (!isNameTaken(error)) throw error;
    return (await jsm.streams.info(config.name)).config;
  }
}
