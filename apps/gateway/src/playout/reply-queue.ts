import { fixedLimits } from "../limits.ts";
import type { PlayoutBuffer } from "./buffer.ts";

/** The replies of one session that wait to play, in the order of their causes. */
export class ReplyQueue {
  #replies: PlayoutBuffer[] = [];

  get size(): number {
    return this.#replies.length;
  }

  get full(): boolean {
    return this.#replies.length >= fixedLimits.queuedReplies;
  }

  /** True if the answer of a turn waits. */
  get hasAnswer(): boolean {
    return this.#replies.some(({ origin }) => origin !== undefined);
  }

  /** Gives the reply with an id, or undefined. */
  find(id: string): PlayoutBuffer | undefined {
    return this.#replies.find((reply) => reply.id === id);
  }

  /** Adds a reply at its rank. */
  add(reply: PlayoutBuffer): void {
    const at = this.#replies.findIndex(({ rank }) => rank > reply.rank);
    this.#replies.splice(at < 0 ? this.#replies.length : at, 0, reply);
  }

  /** Adds a reply before all others. */
  addFirst(reply: PlayoutBuffer): void {
    this.#replies.unshift(reply);
  }

  /** Removes and gives the first reply that `mayPlay` accepts. */
  takeFirst(mayPlay: (reply: PlayoutBuffer) => boolean): PlayoutBuffer | undefined {
    const at = this.#replies.findIndex(mayPlay);
    return at < 0 ? undefined : this.#replies.splice(at, 1)[0];
  }

  remove(reply: object): void {
    this.#replies = this.#replies.filter((other) => other !== reply);
  }

  /** Gives all replies, as a list of its own. */
  all(): readonly PlayoutBuffer[] {
    return [...this.#replies];
  }

  /** Gives the replies that `match` accepts, as a list of its own. */
  filter(match: (reply: PlayoutBuffer) => boolean): readonly PlayoutBuffer[] {
    return this.#replies.filter(match);
  }
}
