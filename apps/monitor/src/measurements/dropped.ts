import { channels, type BadMessage } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/subscriber";
import QuickLRU from "quick-lru";
import type { BadMessageView } from "../live/live.ts";
import type { Programs } from "./programs.ts";

/** Time for which a drop is listed, as processes list theirs, ms. */
const shownMs = 10 * 60_000;
const maxKinds = 100;

/** A kind of message that a program has dropped. */
interface DroppedKind {
  readonly program: string;
  readonly message: BadMessage;
}

/** The messages that programs drop, as they tell it on `error.*`. Some of these programs report no numbers. */
export interface Dropped extends Closer {
  /** The kinds of the last 10 minutes: the 100 newest at least. */
  list(): readonly DroppedKind[];
}

/** Collects what programs tell about messages that they drop. */
export function collectDropped(bus: Pick<Bus, "subscribe">): Dropped {
  const kinds = new QuickLRU<string, DroppedKind>({ maxSize: maxKinds, maxAge: shownMs });
  const subscription = bus.subscribe(channels.error("*"), (message, { subject }) => {
    const program = subject.split(".")[1] ?? "";
    kinds.set(nameKind(program, message), { program, message });
  });
  return { list: () => [...kinds.values()], close: () => subscription.close() };
}

/**
 * The messages that processes dropped, by their reports, and those that programs told of. A report also names the process, and
 * takes the place of what its program told. The newest first, 100 at most.
 */
export function listBadMessages({
  programs,
  dropped,
}: {
  readonly programs: Pick<Programs, "list">;
  readonly dropped: Pick<Dropped, "list">;
}): readonly BadMessageView[] {
  const reported = programs.list().flatMap(({ stats }) => {
    const { program, id = stats.instance, badMessages = [] } = stats;
    return badMessages.map((message): BadMessageView => ({ ...message, program, id }));
  });
  const known = new Set(reported.map((view) => nameKind(view.program, view)));
  const told = dropped
    .list()
    .filter(({ program, message }) => !known.has(nameKind(program, message)))
    .map(({ program, message }): BadMessageView => ({ ...message, program, id: "" }));
  return [...reported, ...told].toSorted((a, b) => b.at - a.at).slice(0, maxKinds);
}

/** Names the kind of a message that a program has dropped. */
function nameKind(program: string, { subject, reason, field = "" }: BadMessage): string {
  return [program, subject, reason, field].join(" ");
}
