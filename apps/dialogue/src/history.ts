import { ConflictError, type Bucket } from "@voxbus/bus";
import { deviceKey, Dialogue } from "@voxbus/protocol";
import type { Message } from "./engines/engine.ts";

const maxMessages = 50;
const maxTries = 5;

/** The messages exchanged with each device, kept in the bucket `dialogues`. */
export interface History {
  /** Gives at most 50 messages, oldest first. */
  read(device: string): Promise<readonly Message[]>;
  /** Appends messages, also while other workers append. The oldest ones are dropped. */
  append(device: string, messages: readonly Message[]): Promise<void>;
}

/** Creates the history over the bucket. */
export function createHistory(bucket: Bucket): History {
  const load = async (device: string) => {
    const entry = await bucket.get(deviceKey(device));
    // A record that another version wrote differently is replaced.
    const record = Dialogue.safeParse(entry?.value);
    return { messages: record.success ? record.data.messages : [], revision: entry?.revision ?? 0 };
  };
  return {
    read: async (device) => (await load(device)).messages,
    async append(device, added) {
      for (let tries = 1; ; tries += 1) {
        const { messages, revision } = await load(device);
        try {
          await bucket.update(deviceKey(device), { messages: [...messages, ...added].slice(-maxMessages) }, revision);
          return;
        } catch (error) {
          if (!(error instanceof ConflictError) || tries === maxTries) throw error;
        }
      }
    },
  };
}
