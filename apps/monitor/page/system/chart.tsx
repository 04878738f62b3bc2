import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../shared/settings.ts";
import { showTime } from "../shared/show.ts";

/** One line of a chart. `color` is the name of a CSS variable. */
export interface Line {
  readonly label: string;
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly fill?: boolean;
}

const height = 190;
const steps = [1, 2, 5]
  .flatMap((step) => [1, 10, 100, 1000, 10_000].map((power) => step * power))
  .sort((a, b) => a - b);
const dark = matchMedia("(prefers-color-scheme: dark)");

/** A chart over time. `times` are ms since the epoch; `summary` is its text for screen readers. */
export function Chart(props: {
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly unit: string;
  readonly summary: string;
}) {
  const { times, lines, unit, summary } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const chosen = theme.value;
  const shape = lines.map(({ label, color }) => `${label} ${color}`).join();
  const data = (): uPlot.AlignedData => [
    times.map((at) => at / 1000),
    ...lines.map(({ values }) => [...values] as (number | null)[]),
  ];

  useEffect(() => {
    const box = place.current;
    if (!box) return undefined;
    const build = () => {
      chart.current?.destroy();
      chart.current = new uPlot(describe(box, lines, unit), data(), box);
    };
    build();
    const fit = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height }));
    fit.observe(box);
    // A canvas does not follow the theme by itself.
    dark.addEventListener("change", build);
    return () => {
      fit.disconnect();
      dark.removeEventListener("change", build);
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [shape, unit, chosen]);
  useEffect(() => chart.current?.setData(data()), [times, lines]);

  return (
    <>
      <div ref={place} class="chart" role="img" aria-label={summary} />
      <ul class="legend" aria-hidden="true">
        {lines.map(({ label, color }) => (
          <li key={label} style={{ "--key": `var(${color})` }} class="key">
            {label}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Returns the present color of a CSS variable. */
function readColor(box: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function describe(box: HTMLElement, lines: readonly Line[], unit: string): uPlot.Options {
  const axis = {
    stroke: readColor(box, "--muted"),
    grid: { stroke: readColor(box, "--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  return {
    width: box.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { y: { range: (_chart, _min, max) => [0, Math.max(1, (max || 0) * 1.15)] } },
    axes: [
      { ...axis, space: 76, size: 28, values: (_chart, splits) => splits.map((at) => showTime(at * 1000)) },
      { ...axis, size: 58, incrs: steps, values: (_chart, splits) => splits.map((value) => `${value}${unit}`) },
    ],
    series: [
      {},
      ...lines.map(({ label, color, fill }) => {
        const stroke = readColor(box, color);
        return {
          label,
          stroke,
          width: 2,
          points: { show: false },
          ...(fill ? { fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.12)") } : {}),
        };
      }),
    ],
  };
}
