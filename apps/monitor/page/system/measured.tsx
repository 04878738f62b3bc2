import { hello } from "../shared/live-state.ts";

/** A value beside the threshold of its alert rule. It is red from the threshold on. */
export function Measured(props: {
  readonly value: number | undefined;
  /** The name of the alert rule. */
  readonly rule: string;
  readonly show: (value: number | undefined) => string;
}) {
  const { value, rule, show } = props;
  const threshold = hello.value?.thresholds[rule];
  const over = value !== undefined && threshold !== undefined && value >= threshold;
  return (
    <>
      <span class={over ? "bad" : ""}>{show(value)}</span>
      {value !== undefined && threshold !== undefined && <small class="threshold"> / {show(threshold)}</small>}
    </>
  );
}
