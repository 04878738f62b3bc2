/** A claim loop, as its budget sees it. */
interface ClaimLoop {
  /** The claims whose work is running. */
  busy(): number;
  /** Requests a job for each free slot. */
  pull(): void;
}

/** Slots for claims. Several claim loops may share them. */
export interface ClaimBudget {
  /** Adds a loop. The result gives the number of jobs that the loop may have requested now. */
  join(loop: ClaimLoop): () => number;
  /** Tells all loops that a slot is free. */
  freed(): void;
}

/** The jobs that each of several loops requests at a time, while twice as many slots are free for all of them. */
const ahead = 4;

/**
 * Creates a budget of `slots` claims. A loop that is alone requests a job for each free slot. Loops that share it request a few at
 * a time: then several jobs that come at once need not wait for a round trip each. Once slots are scarce they request one at a
 * time, and may all have requested the last one: each loop beyond the first may hold one claim too many, and more in the first
 * second if it was not started together with the others. `room`: the further claims that fit into the program, if that is less; it
 * is looked at again every second.
 */
export function createClaimBudget(slots: number, room: () => number = () => Infinity): ClaimBudget {
  const loops = new Set<ClaimLoop>();
  return {
    join(own) {
      loops.add(own);
      return () => {
        const busy = [...loops].reduce((sum, loop) => sum + loop.busy(), 0);
        const free = Math.max(0, Math.min(slots - busy, room()));
        if (loops.size === 1) return free;
        return free >= 2 * ahead * loops.size ? ahead : Math.min(1, free);
      };
    },
    freed() {
      for (const loop of loops) loop.pull();
    },
  };
}
