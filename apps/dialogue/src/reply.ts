import type { Bus } from "@voxbus/bus";
import { openReplyWriter, type ReplyWriter } from "@voxbus/subscriber";
import { isMoment } from "./moments.ts";
import { earlierMs, type TurnInput } from "./turn-input.ts";

/** Opens a turn's reply. A stored sentence that is no part of the answer is empty. Sentences are written one after the other. */
export async function openReply(
  bus: Bus,
  turn: Pick<TurnInput, "device" | "session" | "origin" | "delivery">,
  signal: AbortSignal,
): Promise<ReplyWriter> {
  const { attempt, storedAt, trace } = turn.delivery;
  const writer = await openReplyWriter(bus, turn, { attempt, since: storedAt - earlierMs, trace }, signal);
  let before: Promise<unknown> = Promise.resolve();
  return {
    ...writer,
    sentences: writer.sentences.map((text) => (isMoment(text) ? "" : text)),
    write(text, options) {
      const written = before.then(() => writer.write(text, options));
      before = written.catch(() => undefined);
      return written;
    },
  };
}
