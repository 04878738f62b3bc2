import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import type { StreamName } from "@voxbus/protocol";
import type { Bus } from "../bus.ts";
import type { Messages } from "../nats/messages.ts";
import { isNoMessage } from "../nats/nats-errors.ts";
import type { Publisher } from "./publish.ts";

const pageSize = 256;
/** How far `lastStored` looks back behind messages that do not decode. */
const lastLimit = 64;

/** Creates the reader of the streams. It asks their leaders, which hold everything that was acknowledged. */
export function createReader(
  jsm: JetStreamManager,
  publisher: Publisher,
  messages: Messages,
): Pick<Bus, "lastStored" | "stored"> {
  const lastStored: Bus["lastStored"] = async (channel, signal) => {
    const { subject, schema, delivery: stream } = channel;
    const found = await publisher.retry(
      stream,
      () => jsm.streams.getMessage(stream, { last_by_subj: subject }),
      signal,
    );
    if (found === null) return { message: undefined, newest: 0 };
    const message = messages.decode(schema, found);
    if (message !== undefined) return { message, newest: found.seq };
    const { messages: readable } = await stored(channel, lastLimit, signal);
    return { message: readable.at(-1), newest: found.seq };
  };

  // Any replica may answer with a page, and may lag behind. The leader decides whether there is more.
  const readFrom = async (stream: StreamName, subject: string, seq: number): Promise<StoredMsg[]> => {
    const found: StoredMsg[] = [];
    try {
      const batch = await jsm.direct.getBatch(stream, { next_by_subj: subject, seq, batch: pageSize });
      for await (const message of batch) found.push(message);
    } catch (error) {
      if (!isNoMessage(error)) throw error;
    }
    if (found.length > 0) return found;
    const query = { next_by_subj: subject, seq }; // nats.js types this for direct reads only
    const next = await jsm.streams.getMessage(stream, query);
    return next === null ? [] : [next];
  };

  const stored: Bus["stored"] = async ({ subject, schema, delivery: stream }, limit, signal) => {
    let kept: StoredMsg[] = [];
    for (let seq = 1; ;) {
      const from = seq;
      const found = await publisher.retry(stream, () => readFrom(stream, subject, from), signal);
      const last = found.at(-1);
      if (last === undefined) break;
      kept = [...kept, ...found].slice(-limit);
      seq = last.seq + 1;
    }
    return {
      messages: kept.flatMap((one) => messages.decode(schema, one) ?? []),
      newest: kept.at(-1)?.seq ?? 0,
    };
  };

  return { lastStored, stored };
}
