import type { Bus, Bucket } from "@voxbus/bus";
import { buckets, type ToolCallRecord } from "@voxbus/protocol";
import type { TurnId } from "@voxbus/subscriber";
import { ToolError } from "../engines/engine.ts";

/** A call with its place in its turn. */
export interface PlacedCall {
  /** The number of the call within its turn, from 1. */
  readonly index: number;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** True if an earlier attempt at the turn has made the call. `text` is its result, if that is known. */
  readonly isMade: boolean;
  readonly text?: string | undefined;
}

/** The calls of turns. Each is stored before it is made, so that a turn that is started again does not repeat it. */
export interface CallRecords {
  /** Gives the calls of a turn their places, one after the other. An attempt that makes other calls gets other places. */
  placesOf(turn: TurnId): (call: Pick<PlacedCall, "name" | "args">) => Promise<PlacedCall>;
  /** Stores the result of a call for a successor of the turn, unless the call was removed meanwhile. */
  finish(turn: TurnId, index: number, text: string): Promise<void>;
  /** Removes a call that was not made, as its turn has ended. A successor of the turn makes it. Throws ToolError. */
  giveUp(turn: TurnId, index: number): Promise<never>;
}

/** The maximum number of calls in one turn, those of earlier attempts included. */
export const maxCallsPerTurn = 64;

/** Creates the records, which are kept in the bucket `tool-calls`. */
export function createCallRecords(bus: Bus): CallRecords {
  const bucket = bus.bucket(buckets.toolCalls);
  const idOf = ({ session, origin }: TurnId, index: number) => `${session}.${origin}.${index}`;
  return {
    placesOf(turn) {
      let index = 0;
      let before: Promise<unknown> = Promise.resolve();
      const place = async ({ name, args }: Pick<PlacedCall, "name" | "args">): Promise<PlacedCall> => {
        const record = { name, args: JSON.stringify(args) };
        while (index < maxCallsPerTurn) {
          index += 1;
          const found = await create(bucket, idOf(turn, index), record);
          if (found === undefined) return { index, name, args, isMade: false };
          if (found.name === name && found.args === record.args)
            return { index, name, args, isMade: true, text: found.text };
        }
        throw new ToolError(`a turn makes at most ${maxCallsPerTurn} calls`);
      };
      return (call) => {
        const placed = before.then(() => place(call));
        before = placed.catch(() => undefined);
        return placed;
      };
    },
    finish: (turn, index, text) => bucket.modify(idOf(turn, index), (stored) => stored && { ...stored, text }),
    async giveUp(turn, index) {
      await bucket.remove(idOf(turn, index));
      throw new ToolError("the turn has ended");
    },
  };
}

const refuse = () => Promise.reject(new ToolError("tools cannot be called now"));

/** The records of a shadow: no call gets a place. Its tools would act on the real system. */
export const refusedCalls: CallRecords = {
  placesOf: () => refuse,
  giveUp: refuse,
  finish: () => Promise.resolve(),
};

/** Stores a new call. Gives the one that is stored already, if any. */
async function create(
  bucket: Bucket<ToolCallRecord, ToolCallRecord>,
  id: string,
  call: ToolCallRecord,
): Promise<ToolCallRecord | undefined> {
  let found: ToolCallRecord | undefined;
  await bucket.modify(id, (stored) => {
    found = stored;
    return stored === undefined ? call : undefined;
  });
  return found;
}
