import { createHash } from "node:crypto";

const maxLength = 64;
const hashLength = 8;

/**
 * Gives the tools of one server their names on the bus: the prefix and the tool's own name, with `_` in place of each
 * character that a bus name cannot have. A name that is too long, or that another tool of the server has unchanged, ends with
 * a hash of the tool's own name. So a tool has the same name whatever the order of the list.
 */
export function nameTools(prefix: string, tools: readonly string[]): ReadonlyMap<string, string> {
  const own = [...new Set(tools)];
  const plain = new Map(own.map((tool) => [tool, prefix + tool.replaceAll(/[^A-Za-z0-9_-]/g, "_")]));
  const counts = new Map<string, number>();
  for (const name of plain.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map(
    own.map((tool) => {
      const name = plain.get(tool) ?? "";
      const isUnchanged = name === prefix + tool;
      const isTaken = (counts.get(name) ?? 0) > 1 && !isUnchanged;
      if (name.length <= maxLength && !isTaken) return [tool, name];
      const hash = createHash("sha256").update(tool).digest("hex").slice(0, hashLength);
      return [tool, `${name.slice(0, maxLength - hashLength - 1)}_${hash}`];
    }),
  );
}
