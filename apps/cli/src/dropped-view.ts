import { deviceOfSubject, type BadMessage } from "@voxbus/protocol";
import { toText } from "./json.ts";
import { badKind } from "./kinds.ts";
import type { Place, Selection } from "./selection.ts";

const maxReports = 1000;

/** Shows the messages that programs dropped. A program tells each at once, and again in its numbers. */
export function createDroppedView(
  { device, kinds, turn }: Selection,
  write: (place: Place, fields: object, text: string) => void,
) {
  /** When a program dropped a message of a kind last. The newest 1000 kinds are remembered. */
  const seen = new Map<string, number>();
  const isNew = (program: string, { subject, reason, field, at }: BadMessage): boolean => {
    const key = `${program} ${subject} ${reason} ${field}`;
    const before = seen.get(key) ?? -1;
    seen.delete(key);
    seen.set(key, Math.max(before, at));
    if (seen.size > maxReports) seen.delete(seen.keys().next().value!);
    return at > before;
  };
  const isWanted = turn === undefined && (kinds === undefined || kinds.has(badKind) || kinds.has("error"));
  return {
    /** Shows those of the messages that the program of `place.subject` has not told before. */
    show(place: Place, list: readonly BadMessage[]): void {
      const program = place.subject.split(".")[1] ?? "";
      for (const dropped of isWanted ? list : []) {
        const isOurs = device === undefined || deviceOfSubject(dropped.subject) === device;
        if (isOurs && isNew(program, dropped)) write(place, { program, dropped }, describeDropped(dropped));
      }
    },
  };
}

function describeDropped({ subject, reason, field, limit, count, publisher }: BadMessage): string {
  const where = [field && ` in ${field}`, limit && ` (${limit})`, publisher && `, published by ${publisher}`];
  return toText(`dropped ${count} of ${subject}: ${reason}${where.filter(Boolean).join("")}`);
}
