import { ToolError, type Tool, type Tools } from "../engines/engine.ts";
import { plainName } from "../engines/tool-names.ts";
import type { PlacedCall } from "./call-records.ts";

/** Tools of one turn that are called in the same way. */
export interface ToolSource {
  readonly list: readonly Tool[];
  /**
   * Takes a place among the calls that run at once. The returned function gives it back. Throws ToolError if a call cannot be
   * made. It then takes no place in the turn.
   */
  admit?(name: string, args: PlacedCall["args"]): () => void;
  /** Makes a call, or gives the result of one that is made already, and calls `leave` at its end. Throws ToolError. */
  make(call: PlacedCall, leave: () => void, signal?: AbortSignal): Promise<string>;
}

/**
 * Combines the tools of a turn. Where two have names that are the same to a model, the first source's is offered. `place` gives
 * calls their places.
 */
export function combineTools(
  sources: readonly ToolSource[],
  place: (call: Pick<PlacedCall, "name" | "args">) => Promise<PlacedCall>,
): Tools {
  const sourceOf = new Map<string, ToolSource>();
  const taken = new Set<string>();
  const list = sources.flatMap((source) => {
    const own = source.list.filter(({ name }) => !taken.has(plainName(name)));
    for (const { name } of own) {
      taken.add(plainName(name));
      sourceOf.set(name, source);
    }
    return own;
  });
  return {
    list,
    async call(name, args, signal) {
      const source = sourceOf.get(name);
      if (source === undefined) throw new ToolError(`there is no tool "${name}"`);
      const leave = source.admit?.(name, args) ?? (() => undefined);
      const placed = place({ name, args });
      placed.catch(leave);
      return source.make(await placed, leave, signal);
    },
  };
}
