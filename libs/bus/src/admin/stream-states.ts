import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { bucketNames, streamNames, type BucketName, type StreamName } from "@voxbus/protocol";
import type { StreamSizes } from "../config.ts";
import { DeniedError } from "../errors.ts";
import { compareOwn, isOwn } from "../jetstream/ownership.ts";
import { defineStreams, type Definition } from "../jetstream/stream-definitions.ts";
import type { Names } from "../names.ts";
import type { NatsClock } from "../nats/clock.ts";
import { explainDenial, isMissing } from "../nats/nats-errors.ts";

/**
 * A stream or bucket of the contract. `ok`: as the programs define it, but for limits that an operator changed (`kept`).
 * `differs`: the settings in `fields` are not as the programs define them. `foreign`: another application has the name.
 */
export interface StreamState {
  readonly name: StreamName | BucketName;
  readonly state: "ok" | "differs" | "missing" | "foreign" | "denied" | "unanswered";
  readonly fields: readonly string[];
  readonly kept: readonly string[];
  readonly messages: number;
  /** Bytes that it holds, and that it may hold. */
  readonly bytes: number;
  readonly maxBytes: number;
}

/** Dependencies of `readStreamStates`. */
interface StateDeps {
  readonly jsm: JetStreamManager;
  readonly names: Names;
  readonly learn: NatsClock["learn"];
}

/** Reads the state of every stream and bucket. Never throws for one of them. */
export async function readStreamStates(deps: StateDeps, sizes: StreamSizes): Promise<readonly StreamState[]> {
  const definitions = defineStreams(deps.names, sizes);
  return Promise.all(
    [...streamNames, ...bucketNames].map(async (name) => {
      const wanted = definitions.find(({ config }) => config.name === deps.names.streamOf(name))!;
      return readOne(deps, name, wanted);
    }),
  );
}

async function readOne(
  { jsm, learn }: StateDeps,
  name: StreamState["name"],
  { config: wanted, chosen }: Definition,
): Promise<StreamState> {
  const nothing = { name, fields: [], kept: [], messages: 0, bytes: 0, maxBytes: wanted.max_bytes };
  const sentAt = performance.now();
  let found: StreamInfo;
  try {
    found = await jsm.streams.info(wanted.name);
  } catch (error) {
    const isDenied = explainDenial(error) instanceof DeniedError;
    return { ...nothing, state: isMissing(error) ? "missing" : isDenied ? "denied" : "unanswered" };
  }
  learn(found.ts, sentAt);
  const { config, state } = found;
  const sizes = { messages: state.messages, bytes: state.bytes, maxBytes: config.max_bytes };
  if (!isOwn(config)) return { ...nothing, ...sizes, state: "foreign" };
  const { changes, kept } = compareOwn(config, wanted, chosen);
  const fields = Object.keys(changes).filter((field) => field !== "metadata");
  return { name, ...sizes, fields, kept: Object.keys(kept), state: fields.length > 0 ? "differs" : "ok" };
}
