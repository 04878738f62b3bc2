/** A metric: its comments by kind, and its values. */
interface Metric {
  readonly head: Map<string, string>;
  readonly values: string[];
}

/**
 * Merges the metrics of several processes, in Prometheus's text format, into one text. Each value gets the label `worker`,
 * and the values of one metric stand together, as the format asks.
 */
export function mergeMetrics(parts: readonly { readonly worker: string; readonly text: string }[]): string {
  const metrics = new Map<string, Metric>();
  for (const { worker, text } of parts) {
    let current = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const [, kind, name] = /^# (HELP|TYPE|UNIT) (\S+)/.exec(line) ?? [];
      current = name ?? current;
      const metric: Metric = metrics.get(current) ?? { head: new Map(), values: [] };
      metrics.set(current, metric);
      if (kind !== undefined) metric.head.set(kind, line);
      else if (!line.startsWith("#")) metric.values.push(addLabel(line, `worker="${worker}"`));
    }
  }
  const lines = [...metrics.values()].flatMap(({ head, values }) => [...head.values(), ...values]);
  return `${lines.join("\n")}\n`;
}

/** Adds a label to a line such as `name{label="value"} 1` or `name 1`. */
function addLabel(line: string, label: string): string {
  return line.replace(/^([^\s{]+)(?:\{(\}?))?/, (whole, name: string, closing: string | undefined) => {
    if (!whole.includes("{")) return `${name}{${label}}`;
    return closing === "}" ? `${name}{${label}}` : `${name}{${label},`;
  });
}
