import { parseJson, type Receipt } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { SessionEvents } from "../observe/session-events.ts";
import type { Clock, Ticker } from "../playout/clock.ts";
import type { Downlink } from "../playout/downlink.ts";
import type { Life } from "./life.ts";

/** Dependencies of receipts. */
export interface ReceiptsDeps {
  readonly clock: Clock;
  readonly downlink: Pick<Downlink, "writeText">;
  readonly events: Pick<SessionEvents, "publish">;
  /** Told when the device does not answer: it may be gone. */
  readonly life: Pick<Life, "silent">;
}

/** Ids of JSON-RPC requests are int32. Other programs' are below these. */
const lastId = 2 ** 31 - 1;
const ids = 1024;

/**
 * Finds out whether a device got what it was sent. TCP takes in messages for a device that is gone, and they may arrive after
 * later datagrams. So an MCP `ping` follows: firmware answers it, if only with an error.
 */
export class Receipts implements Ticker {
  readonly #deps: ReceiptsDeps;
  /** The messages that await their receipts, by the ids of their pings, in order. */
  readonly #waiting = new Map<number, { readonly reply: string | undefined; readonly until: number }>();
  #count = 0;
  /** The ping behind the `tts` `start` that is not answered yet, and when it is not awaited any longer. */
  #start: { readonly id: number; readonly until: number } | undefined;

  constructor(deps: ReceiptsDeps) {
    this.#deps = deps;
  }

  /** Asks for the receipt of what was written last. `reply` names it in the event. */
  ask(reply: string | undefined): void {
    const { clock } = this.#deps;
    const [oldest] = this.#waiting.keys();
    if (oldest !== undefined && this.#waiting.size >= fixedLimits.waitingReceipts) this.#settle(oldest, "unanswered");
    const until = clock.now() + fixedLimits.receiptMs;
    this.#waiting.set(this.#ping(), { reply, until });
    clock.wake(this, until);
  }

  /** Asks whether the device was told to speak: it drops sound that comes before. */
  askStart(): void {
    this.#start = { id: this.#ping(), until: this.#deps.clock.now() + fixedLimits.startMs };
  }

  /** True until the device has answered that it was told to speak, but not for long. */
  get startsSpeaking(): boolean {
    return this.#start !== undefined && this.#deps.clock.now() < this.#start.until;
  }

  #ping(): number {
    const id = lastId - (this.#count++ % ids);
    this.#deps.downlink.writeText({ type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id, method: "ping" }) });
    return id;
  }

  /** Takes an MCP message of the device. Returns true if it was the answer to a ping, even a late one. */
  answered(payload: string): boolean {
    const message = parseJson(payload);
    const isAnswer = typeof message === "object" && message !== null && "id" in message && !("method" in message);
    const id = isAnswer ? Number(message.id) : NaN;
    if (this.#start?.id === id) this.#start = undefined;
    if (this.#waiting.has(id)) this.#settle(id, "delivered");
    return id > lastId - ids && id <= lastId;
  }

  /** Gives up the receipts that are late; called by the clock. */
  tick(now: number): void {
    for (const [id, { until }] of this.#waiting) {
      if (now < until) return;
      this.#settle(id, "unanswered");
      this.#deps.life.silent();
    }
  }

  /** The session has ended. */
  close(): void {
    for (const id of this.#waiting.keys()) this.#settle(id, "expired");
  }

  #settle(id: number, result: Receipt["result"]): void {
    const reply = this.#waiting.get(id)?.reply;
    this.#waiting.delete(id);
    this.#deps.events.publish({ receipt: { result, ...(reply === undefined ? {} : { reply }) } });
  }
}
