import type { CloseName } from "@voxbus/protocol";

/** How a session ended: closed by the gateway, or `gone` with the code that its socket gave. */
export type SessionEnd =
  { readonly reason: CloseName; readonly code?: undefined } | { readonly reason: "gone"; readonly code: number };

/** The end of one session. The first request for it decides; later ones change nothing. */
export class Ending {
  /** Resolves with the first request. */
  readonly requested: Promise<SessionEnd>;
  #end: SessionEnd | undefined;
  #resolve!: (end: SessionEnd) => void;

  constructor() {
    this.requested = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** The first request; undefined before it. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  request(end: SessionEnd): void {
    this.#end ??= end;
    this.#resolve(end);
  }
}
