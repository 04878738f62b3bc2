/** One limit. Its description in `--help` is `<unit> <what>; beyond: <beyond>`. */
export interface Limit {
  /** The environment variable that sets it, and the range that it accepts. A limit without one is fixed. */
  readonly variable?: string;
  readonly range?: readonly [least: number, most: number];
  readonly default: number;
  readonly unit: string;
  readonly what: string;
  /** The consequence of exceeding it. */
  readonly beyond: string;
}
