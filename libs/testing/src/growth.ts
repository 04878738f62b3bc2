/** Measures by how much the processor time of `work` grows from `size` to ten times as much: about 10 if it is linear. */
export function measureGrowth(work: (size: number) => unknown, size: number): number {
  // The first run compiles the code.
  measureMs(() => work(size));
  const small = measureMs(() => work(size));
  return measureMs(() => work(10 * size)) / Math.max(1, small);
}

/** Gives the least CPU time (ms) of three runs: the others may have collected garbage. */
function measureMs(work: () => unknown): number {
  const runs = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}
