import type { CloseName } from "@voxbus/protocol";

/** How a session ended: closed by the gateway for a reason, or `gone`. The code is that of the socket's close. */
export interface SessionEnd {
  readonly reason: CloseName | "gone";
  readonly code: number;
}

/** The end of one session. The first request for it decides; later ones change nothing. */
export class Ending {
  /** Resolves with the first request. */
  readonly requested: Promise<SessionEnd>;
  #isRequested = false;
  #resolve!: (end: SessionEnd) => void;

  constructor() {
    this.requested = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** True once an end was requested. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  request(end: SessionEnd): void {
    this.#isRequested = true;
    this.#resolve(end);
  }
}
