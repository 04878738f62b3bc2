import type { Heard } from "@voxbus/protocol";

/** What somebody said, and where. */
export type Said = {
  readonly device: string;
  readonly session: string;
  readonly origin: number;
  /** Empty for speech that was rejected. */
  readonly text: string;
  readonly reason?: Heard["reason"];
  /** BCP 47; of typed text it is not known. */
  readonly language?: string;
  /** Deliveries of this turn, from 1; at the `final` one there is only an apology. */
  readonly attempt: number;
  readonly final: boolean;
  readonly trace: Readonly<Record<string, string>>;
};

/** How a turn ended. */
export type Outcome = "answered" | "apologised" | "fenced" | "superseded" | "offline" | "done before";
