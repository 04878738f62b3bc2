import type { Profile } from "@voxbus/protocol";

/** Tells whether a profile allows a tool, by its list of names in which `*` stands for any characters. Without one it does. */
export function allowsTool({ tools }: Pick<Profile, "tools">, name: string): boolean {
  return tools === undefined || tools.some((pattern) => matches(pattern, name));
}

function matches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let at = first.length;
  return rest.every((part) => {
    const found = name.indexOf(part, at);
    at = found + part.length;
    return found >= 0 && at <= name.length - last.length;
  });
}
