/** Jobs with deadlines. The earliest deadline is first; jobs with the same one keep their order. Times are in ms. */
export interface Deadlines<Job> {
  /** Adds a job, or gives one that is in it another deadline. `-Infinity`: before all others. */
  add(job: Job, due: number): void;
  /** Takes the job that is due first. */
  take(): Job | undefined;
  /** The earliest deadline, or `undefined` if there is no job. */
  readonly first: number | undefined;
}

interface Entry<Job> {
  readonly job: Job;
  readonly due: number;
  readonly order: number;
}

/** Creates an empty set of jobs. Each operation takes logarithmic time. */
export function createDeadlines<Job>(): Deadlines<Job> {
  /** A binary heap. Entries that a later `add` replaced stay in it until they are first. */
  const heap: Entry<Job>[] = [];
  const current = new Map<Job, Entry<Job>>();
  let added = 0;

  function push(entry: Entry<Job>): void {
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }
  function pop(): void {
    const moved = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }
  function findFirst(): Entry<Job> | undefined {
    for (let first = heap[0]; first !== undefined; first = heap[0]) {
      if (current.get(first.job) === first) return first;
      pop();
    }
    return undefined;
  }

  return {
    add(job, due) {
      const entry = { job, due, order: ++added };
      current.set(job, entry);
      push(entry);
    },
    take() {
      const first = findFirst();
      if (first === undefined) return undefined;
      pop();
      current.delete(first.job);
      return first.job;
    },
    get first() {
      return findFirst()?.due;
    },
  };
}

function isBefore<Job>(one: Entry<Job>, other: Entry<Job>): boolean {
  return one.due < other.due || (one.due === other.due && one.order < other.order);
}
