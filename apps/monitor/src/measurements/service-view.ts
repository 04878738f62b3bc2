/** A program as it describes itself, of all its processes together. */
export interface ServiceView {
  readonly name: string;
  /** The versions of its processes; empty if they tell none. */
  readonly versions: readonly string[];
  readonly instances: number;
  readonly owner?: string | undefined;
  /** An http or https address. */
  readonly link?: string | undefined;
  /** The channels that it has subscribed to, and those that it has published on, such as `device.<id>.heard`. */
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  readonly tools: readonly string[];
}

/** A channel with the programs that publish on it, and those that listen to it. */
export interface ChannelView {
  readonly channel: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}
