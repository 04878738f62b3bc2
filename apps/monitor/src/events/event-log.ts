import type { Closer } from "@voxbus/subscriber";
import { ulid } from "ulid";
import type { ApiEvent, EventGap, EventKind } from "./api-event.ts";

/** The most events that are kept for readers that come back. */
const maxEvents = 10_000;

/** The events that a reader wants. */
export interface EventFilter {
  readonly kinds: ReadonlySet<EventKind>;
  /** Only those of this device. */
  readonly device?: string | undefined;
}

/** A reader of events. */
export interface EventReader {
  /** Called with each event, and the id under which the reader may go on later. */
  readonly event: (event: ApiEvent, id: string) => void;
  /** Called when events between those before and those after cannot be had. */
  readonly gap: (gap: EventGap) => void;
}

/** The newest events of the system, as this monitor saw them. */
export interface EventLog {
  add(event: ApiEvent): void;
  /** Forgets what was said to a device. */
  forget(device: string): void;
  /** Gives a reader the events from now on. With `after`, the id of its last one, first those that came since. */
  follow(filter: EventFilter, reader: EventReader, after?: string): Closer;
}

/** Creates the log. `most` events are kept. */
export function createEventLog(most = maxEvents): EventLog {
  // An id also tells the time, so that a reader can go on at another monitor.
  const epoch = ulid();
  const kept: { readonly event: ApiEvent; readonly n: number }[] = [];
  const readers = new Set<(event: ApiEvent, n: number) => void>();
  let count = 0;

  const idOf = ({ at }: ApiEvent, n: number) => `${epoch}.${n}.${at}`;
  const oldest = () => kept[0]?.n ?? count + 1;
  const fits = ({ kinds, device }: EventFilter, event: ApiEvent) =>
    kinds.has(event.kind) && (device === undefined || ("device" in event && event.device === device));

  /** The events that came since an id, and the gap before them. */
  const since = (id: string): { readonly events: typeof kept; readonly gap?: EventGap } => {
    const [, of = "", n = "", at = ""] = /^(\w{26})\.(\d{1,15})\.(\d{1,15})$/.exec(id) ?? [];
    if (of !== epoch) {
      const events = at === "" ? [] : kept.filter(({ event }) => event.at >= Number(at));
      return { events, gap: { reason: "other-monitor" } };
    }
    const events = kept.slice(Math.max(0, Number(n) + 1 - oldest()));
    return Number(n) + 1 < oldest() ? { events, gap: { reason: "forgotten" } } : { events };
  };

  return {
    add(event) {
      count += 1;
      kept.push({ event, n: count });
      if (kept.length > most) kept.shift();
      for (const read of readers) read(event, count);
    },
    forget(device) {
      for (const [at, { event, n }] of kept.entries()) {
        if (event.kind !== "heard" || event.device !== device) continue;
        // It stays in its place, because ids count places.
        kept[at] = { event: { ...event, text: undefined }, n };
      }
    },
    follow(filter, reader, after) {
      const read = (event: ApiEvent, n: number) => {
        if (fits(filter, event)) reader.event(event, idOf(event, n));
      };
      if (after !== undefined) {
        const { events, gap } = since(after);
        if (gap) reader.gap(gap);
        for (const { event, n } of events) read(event, n);
      }
      readers.add(read);
      return { close: () => void readers.delete(read) };
    },
  };
}
