import type { CloseName } from "@voxbus/protocol";

/** How a session ended: closed by the gateway for a reason, or `gone`. The code is that of the socket's close. */
export interface SessionEnd {
  readonly reason: CloseName | "gone";
  readonly code: number;
}

/** The end of one session. The first request for it decides; later ones change nothing. */
export class Ending {
  readonly #session: { settle(end: SessionEnd): void };
  #isRequested = false;

  /** After the first request, `settle` is called once what runs now has returned. */
  constructor(session: { settle(end: SessionEnd): void }) {
    this.#session = session;
  }

  /** True once an end was requested. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  request(end: SessionEnd): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    queueMicrotask(() => this.#session.settle(end));
  }
}
