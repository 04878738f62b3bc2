/** A claim loop, as its budget sees it. */
interface ClaimLoop {
  /** The claims whose work is running. */
  busy(): number;
  /** The jobs that were requested and have not come. */
  requested(): number;
  /** Requests a job for each free slot. */
  pull(): void;
}

/** Slots for claims. Several claim loops may share them. */
export interface ClaimBudget {
  /** Adds a loop, and returns the number of jobs that it may have requested at a time. */
  join(loop: ClaimLoop): () => number;
  /** Tells all loops that a slot is free. */
  freed(): void;
}

/**
 * Creates a budget of `slots` claims. Loops that share it divide the free slots, and each may always request one while any is
 * free. So each loop beyond the first may hold one claim too many. `room`: the further claims that fit into the program, if
 * that is less; it is looked at again every second.
 */
export function createClaimBudget(slots: number, room: () => number = () => Infinity): ClaimBudget {
  const loops = new Set<ClaimLoop>();
  const sum = (of: Iterable<ClaimLoop>, count: (loop: ClaimLoop) => number) =>
    [...of].reduce((total, loop) => total + count(loop), 0);
  return {
    join(own) {
      loops.add(own);
      return () => {
        const free = Math.min(slots - sum(loops, (loop) => loop.busy()), room());
        if (free <= 0) return 0;
        const others = sum(loops, (loop) => (loop === own ? 0 : loop.requested()));
        return Math.max(1, Math.min(Math.ceil(free / loops.size), free - others));
      };
    },
    freed() {
      for (const loop of loops) loop.pull();
    },
  };
}
