import { expect, it } from "vitest";
import { mergeMetrics } from "./merge-metrics.ts";

it("metrics of several processes: one text, each value with its process, each metric once", () => {
  const one = "# HELP a Things {of a kind}\n# TYPE a gauge\na 1\na{} 2\n# HELP b_ms Times\n# TYPE b_ms histogram\n";
  const two = '# HELP a Things {of a kind}\n# TYPE a gauge\na{kind="x{y}"} 3\n';
  const parts = [
    { worker: "1", text: `${one}b_ms_bucket{le="+Inf"} 4\nb_ms_sum 5\n` },
    { worker: "2", text: two },
    { worker: "3", text: "" },
  ];
  expect(mergeMetrics(parts)).toBe(
    [
      "# HELP a Things {of a kind}",
      "# TYPE a gauge",
      'a{worker="1"} 1',
      'a{worker="1"} 2',
      'a{worker="2",kind="x{y}"} 3',
      "# HELP b_ms Times",
      "# TYPE b_ms histogram",
      'b_ms_bucket{worker="1",le="+Inf"} 4',
      'b_ms_sum{worker="1"} 5',
      "",
    ].join("\n"),
  );
});
