import type { Bus, Closer } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { createToolTable, type TableEvents, type ToolTable } from "./tool-table.ts";

/** The tools that programs on the bus offer now. */
export interface ToolDirectory extends Closer, Pick<ToolTable, "offeredTo" | "find" | "toolNames" | "skipped"> {
  /** Tests whether the programs that offer a tool are still there. */
  check(name: string): void;
  /** Takes the word of NATS that no program answers a tool. */
  unanswered(name: string): void;
  /** Calls `listener` as TableEvents says. A program that stops in order finishes its calls, and is not lost. */
  onLost(listener: TableEvents["onLost"]): Closer;
}

/** A program that is there, but has not answered for this time (ms), is hung. */
const hungMs = 60_000;
/** The shortest time between a notice and the question that follows, ms: programs give many notices at once. */
const noticeMs = 50;
/** The shortest time between two questions that follow notices, ms: every program answers each. */
const leastMs = 250;
/** The shortest time between two tests of a tool's programs, ms. */
const leastCheckMs = 900;
const mostChecked = 1024;

/** Opens the directory. It asks at once, then every `everyMs` (5 s), and whenever a program tells of a change. */
export function openToolDirectory(
  bus: Bus,
  { everyMs = 5000, ...events }: Omit<TableEvents, "onLost"> & { readonly everyMs?: number },
): ToolDirectory {
  const listeners = new Set<TableEvents["onLost"]>();
  const onLost: TableEvents["onLost"] = (...lost) => listeners.forEach((listener) => listener(...lost));
  const table = createToolTable({ ...events, onLost });
  const discovery = bus.discover(table.found, table.lose);
  const ask = () => {
    discovery.ask();
    for (const { service, seenAt } of table.list()) {
      if (performance.now() - seenAt > hungMs) table.lose(service.id);
      else discovery.check(service);
    }
  };
  let soon: NodeJS.Timeout | undefined;
  let askedAt = -Infinity;
  const askSoon = () => {
    soon = undefined;
    askedAt = performance.now();
    ask();
  };
  const checkedAt = new Map<string, number>();
  const check = (name: string) => {
    const now = performance.now();
    if (now - (checkedAt.get(name) ?? -Infinity) < leastCheckMs) return;
    if (checkedAt.size >= mostChecked) checkedAt.clear();
    checkedAt.set(name, now);
    for (const { service } of table.list(name)) discovery.check(service);
  };
  const changes = bus.subscribe(channels.toolChange(), ({ instance, available }, { subject }) => {
    if (available) soon ??= setTimeout(askSoon, Math.max(noticeMs, askedAt + leastMs - performance.now()));
    else table.ended(instance, subject.split(".")[1] ?? "");
  });
  const timer = setInterval(ask, everyMs);
  timer.unref();
  const watch = bus.onChange((connected) => connected && ask());
  ask();
  return {
    offeredTo: table.offeredTo,
    find: table.find,
    toolNames: table.toolNames,
    skipped: table.skipped,
    check,
    unanswered(name) {
      table.unanswered(name);
      ask();
    },
    onLost(listener) {
      listeners.add(listener);
      return { close: () => void listeners.delete(listener) };
    },
    close() {
      clearInterval(timer);
      clearTimeout(soon);
      watch.close();
      changes.close();
      discovery.close();
    },
  };
}
