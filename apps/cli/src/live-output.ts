import type { Shell } from "./command.ts";

/** Bytes of output that may wait for a slow reader. Beyond, a command without an end of its own leaves out what comes. */
const maxWaitingBytes = 8 * 1_048_576;

/** Bounds what waits for the reader of a command that shows what comes. */
export interface LiveOutput {
  /**
   * Does `write` if there is room for it. After the bound was reached, there is room again when half of it is free. Tells when it
   * begins to leave out, and at the end how many.
   */
  offer(write: () => void): void;
  /** Tells how many were left out last. */
  end(): void;
}

/** Creates the bound. `unit` names what is left out, in the plural. */
export function createLiveOutput({ waiting, tell }: Pick<Shell, "waiting" | "tell">, unit: string): LiveOutput {
  let leftOut = 0;
  const end = () => {
    if (leftOut > 0) tell(`voxbus: ${leftOut} ${unit} left out`);
    leftOut = 0;
  };
  return {
    offer(write) {
      if (waiting() >= (leftOut > 0 ? maxWaitingBytes / 2 : maxWaitingBytes)) {
        if (leftOut === 0) tell(`voxbus: the reader is too slow, ${unit} are left out`);
        leftOut += 1;
        return;
      }
      end();
      write();
    },
    end,
  };
}
