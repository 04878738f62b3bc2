import type { ReceivedSpan } from "./otlp-receiver.ts";

/** Prints a trace: each span below its parent, with its program, start, duration and events. */
export function printTrace(spans: readonly ReceivedSpan[]): string {
  const known = new Set(spans.map(({ id }) => id));
  const began = Math.min(...spans.map(({ start }) => start));
  const rows: { readonly text: string; readonly span: ReceivedSpan }[] = [];
  const add = (list: readonly ReceivedSpan[], indent: string, top: boolean) => {
    const sorted = list.toSorted((a, b) => a.start - b.start || a.end - b.end);
    for (const [at, span] of sorted.entries()) {
      const last = at === sorted.length - 1;
      const branch = top ? "" : last ? "└─ " : "├─ ";
      const events = span.events.length === 0 ? "" : ` (${span.events.join(", ")})`;
      rows.push({ text: `${indent}${branch}${span.name}${events}`, span });
      const deeper = top ? indent : `${indent}${last ? "   " : "│  "}`;
      add(
        spans.filter(({ parent }) => parent === span.id),
        deeper,
        false,
      );
    }
  };
  add(
    spans.filter(({ parent }) => !known.has(parent)),
    "",
    true,
  );
  const width = Math.max(...rows.map(({ text }) => text.length));
  return rows
    .map(({ text, span }) => {
      const from = (span.start - began).toFixed(0).padStart(6);
      const took = (span.end - span.start).toFixed(1).padStart(8);
      return `${text.padEnd(width)}  ${span.service.replace("voxbus-", "").padEnd(8)} ${from} ms ${took} ms`;
    })
    .join("\n");
}

/** Lists the names of the spans from the root to `span`. */
export function pathTo(spans: readonly ReceivedSpan[], span: ReceivedSpan): readonly string[] {
  const above = spans.find(({ id }) => id === span.parent);
  return above === undefined ? [span.name] : [...pathTo(spans, above), span.name];
}
