import { fixedLimits } from "../limits.ts";
import type { PlayoutBuffer } from "./buffer.ts";
import type { AwaitedTurn } from "./turn.ts";

/** The replies of one session that wait to play, in the order of their causes. */
export class ReplyQueue {
  #replies: PlayoutBuffer[] = [];

  get size(): number {
    return this.#replies.length;
  }

  get full(): boolean {
    return this.#replies.length >= fixedLimits.queuedReplies;
  }

  /** Gives the first answer of a turn at or after the seq `from`, or undefined. */
  findAnswer(from = 0): PlayoutBuffer | undefined {
    return this.#replies.find(({ origin = -1 }) => origin >= from);
  }

  /** Gives a turn back, unless its answer waits here. */
  unanswered(turn: AwaitedTurn | undefined): AwaitedTurn | undefined {
    return turn && this.findAnswer(turn.origin) ? undefined : turn;
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

  /** Removes and gives the announcements. */
  takeAnnouncements(): readonly PlayoutBuffer[] {
    const taken = this.filter(({ origin, isNotice }) => origin === undefined && !isNotice);
    for (const reply of taken) this.remove(reply);
    return taken;
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
