import { BusAwayError, type Bus, type Trace } from "@voxbus/bus";
import { channels, type Heard, type OutControl } from "@voxbus/protocol";
import type { Listen } from "./listen-deps.ts";

/** The live messages about a listen, to its gateway and to subscribers. */
export interface ListenMessages {
  /** Says whether the user is speaking. `origin` announces an answer. Skipped while NATS is away. */
  userSpeaking(on: boolean, seq: number, origin?: number): void;
  /** Tells the gateway that this listen is followed, is over for good, or must be opened again. Skipped while NATS is away. */
  listening(state: "on" | "over" | "again"): void;
  /** Tells the gateway that the speech that ended at `origin` waits for the recognizer. Skipped while NATS is away. */
  waits(origin: number): void;
  /** Publishes a partial transcript of the utterance that began at `from`. Skipped while NATS is away. */
  partial(partial: Pick<Heard, "utterance" | "from" | "text" | "language">): void;
  /**
   * Shows a final transcript on the device. If its words interrupt a reply, the gateway cuts that first. Throws
   * BusAwayError.
   */
  transcript(words: { readonly text: string; readonly from: number; readonly origin: number }, trace: Trace): void;
}

// No step of a turn waits for these messages. In its trace they would hide the important ones.
const untraced = {};

/** Creates the messages of a listen. */
export function createListenMessages(bus: Bus, listen: Listen): ListenMessages {
  const { device, session } = listen;
  return {
    userSpeaking(on, seq, origin) {
      const body: OutControl = { type: "user-speaking", seq, on, ...(origin !== undefined && { origin }) };
      skipWhileAway(() => bus.publish(channels.out(device), { session, kind: "control", body }, untraced));
    },
    listening(state) {
      const body: OutControl = { type: "listening", seq: listen.seq, state };
      skipWhileAway(() => bus.publish(channels.out(device), { session, kind: "control", body }, untraced));
    },
    waits(origin) {
      const body: OutControl = { type: "working", waits: true };
      skipWhileAway(() => bus.publish(channels.out(device), { session, origin, kind: "control", body }, untraced));
    },
    partial({ from, ...rest }) {
      const partial = { session, listen: listen.seq, from, origin: from, ...rest };
      skipWhileAway(() => bus.publish(channels.heardPartial(device), partial, untraced));
    },
    transcript({ text, from, origin }, trace) {
      // The fence stays below this speech, so that its answer is heard even if all of it came in one frame.
      const body: OutControl = { type: "barge-in", seq: from - 1 };
      bus.publish(channels.out(device), { session, kind: "control", body }, untraced);
      bus.publish(channels.out(device), { session, kind: "text", origin, body: { type: "stt", text } }, trace);
    },
  };
}

function skipWhileAway(publish: () => void): void {
  try {
    publish();
  } catch (error) {
    if (!(error instanceof BusAwayError)) throw error;
  }
}
