import type { Bus, Closer } from "@voxbus/bus";
import { channels, type Event } from "@voxbus/protocol";
import PQueue from "p-queue";
import type { History } from "./history.ts";

/** History writes at the same time, and those that wait. */
const concurrency = 16;
const mostWaiting = 4096;

/**
 * Writes into the history how much of each interrupted answer was heard. One dialogue process gets the event of a turn, not
 * always the one that wrote the answer. A turn that was played to its end needs no write.
 */
export function recordPlayedTurns(bus: Bus, history: History): Closer {
  const queue = new PQueue({ concurrency });
  return bus.subscribe(
    channels.event("*"),
    (event, { device }) => {
      const part = readInterruption(event);
      if (part === undefined) return undefined;
      // The bus counts it as a handler that failed.
      if (queue.size >= mostWaiting) throw new Error("too many history writes are waiting");
      return queue.add(() => history.add(device, part));
    },
    { queue: "dialogue" },
  );
}

/** Reads what an event tells about one of our answers: the number of sentences that were heard, and why not all were. */
function readInterruption({ session, at, turn }: Event) {
  if (turn?.origin === undefined || turn.complete) return undefined;
  const { origin, reply, sentence, reason } = turn;
  // Another program answered, with a reply of its own.
  if (reply !== undefined && reply !== `${session}:${origin}`) return undefined;
  const end = isFailure(reason) ? ("failed" as const) : ("interrupted" as const);
  return { session, origin, at, heard: sentence === undefined ? 0 : sentence + 1, end };
}

/** Tells whether a turn ended because it could not be answered, or not in time. */
function isFailure(reason: string | undefined): boolean {
  return reason === "deadline" || reason === "dry" || reason === "shed";
}
