import { ConflictError, type Bucket } from "@voxbus/bus";
import { deviceKey, Dialogue } from "@voxbus/protocol";
import type { Message } from "./engines/engine.ts";

const mostMessages = 50;
const mostTries = 5;

/** What was said with each device, kept in the bucket `dialogues`. */
export interface History {
  /** Oldest first, at most 50. */
  read(device: string): Promise<readonly Message[]>;
  /** Adds to the end, also while others add; the oldest give way. */
  append(device: string, messages: readonly Message[]): Promise<void>;
}

/** Creates the history over the bucket. */
export function createHistory(bucket: Bucket): History {
  const load = async (device: string) => {
    const entry = await bucket.get(deviceKey(device));
    // A record that another version wrote otherwise is begun anew.
    const record = Dialogue.safeParse(entry?.value);
    return { messages: record.success ? record.data.messages : [], revision: entry?.revision ?? 0 };
  };
  return {
    read: async (device) => (await load(device)).messages,
    async append(device, added) {
      for (let tries = 1; ; tries += 1) {
        const { messages, revision } = await load(device);
        try {
          await bucket.update(deviceKey(device), { messages: [...messages, ...added].slice(-mostMessages) }, revision);
          return;
        } catch (error) {
          if (!(error instanceof ConflictError) || tries === mostTries) throw error;
        }
      }
    },
  };
}
