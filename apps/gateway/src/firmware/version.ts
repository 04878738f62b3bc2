/** Tells whether a text is a version that devices can read. Anything but digits and dots crashes them. */
export function isVersion(text: unknown): text is string {
  return typeof text === "string" && /^\d{1,6}(\.\d{1,6}){0,3}$/.test(text);
}

/** Compares two versions as stock firmware does: by number, and the longer one is newer if it begins with the other. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map((version) => version.split(".").map(Number)) as [number[], number[]];
  const differing = left.findIndex((number, index) => number !== right[index]);
  if (differing < 0 || differing >= right.length) return left.length - right.length;
  return left[differing]! - right[differing]!;
}
