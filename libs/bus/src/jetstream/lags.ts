import type { JetStreamManager } from "@nats-io/jetstream";
import { streamNames, type StreamName } from "@voxbus/protocol";
import type { Names } from "../names.ts";
import type { Publisher } from "./publish.ts";

/** The lag of a durable consumer. */
export interface ConsumerLag {
  readonly stream: StreamName;
  readonly durable: string;
  /** Messages that have not been delivered to a worker yet. */
  readonly pending: number;
  /** Messages that workers hold. */
  readonly held: number;
  /** Held messages that were delivered more than once. */
  readonly redelivered: number;
}

/** Reads the lag of the durable consumers. The contract is `Bus.lags`. */
export async function readLags(
  { jsm, publisher, names }: { readonly jsm: JetStreamManager; readonly publisher: Publisher; readonly names: Names },
  signal?: AbortSignal,
): Promise<readonly ConsumerLag[]> {
  const read = async (stream: StreamName): Promise<ConsumerLag[]> => {
    const lags: ConsumerLag[] = [];
    for await (const info of jsm.consumers.list(names.stream(stream))) {
      const { num_pending: pending, num_ack_pending: held, num_redelivered: redelivered } = info;
      const durable = info.config.durable_name;
      if (durable !== undefined)
        lags.push({ stream, durable: names.plainDurable(durable), pending, held, redelivered });
    }
    return lags;
  };
  const readOne = (stream: StreamName) => publisher.retry(names.stream(stream), () => read(stream), signal);
  return (await Promise.all(streamNames.map(readOne))).flat();
}
