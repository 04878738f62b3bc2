import { createAnnouncements, type Announcements } from "./announcements.ts";
import { PlayoutBuffer, type ReplyFrame } from "./buffer.ts";
import type { Fence } from "./fence.ts";
import type { PlayoutDeps } from "./playout-deps.ts";
import type { ReplyQueue } from "./reply-queue.ts";

/** Decides which new replies and announcements of one session may play, and in which order. */
export class Intake {
  readonly #deps: Pick<PlayoutDeps, "uplink" | "drops" | "memory">;
  readonly #fence: Pick<Fence, "admits" | "drop" | "publish">;
  readonly #queue: ReplyQueue;
  #announcements: Announcements | undefined;

  constructor(
    deps: Pick<PlayoutDeps, "uplink" | "drops" | "memory">,
    fence: Pick<Fence, "admits" | "drop" | "publish">,
    queue: ReplyQueue,
  ) {
    this.#deps = deps;
    this.#fence = fence;
    this.#queue = queue;
  }

  /**
   * Queues the reply of its first frame, by rank. Returns undefined if the reply may not play. `started` is the origin of the newest
   * reply that has started.
   */
  queue({ reply: id, origin }: ReplyFrame, started: number, now: number): PlayoutBuffer | undefined {
    const { uplink, drops, memory } = this.#deps;
    const fence = this.#fence;
    const queue = this.#queue;
    if (origin !== undefined && !fence.admits(origin)) return undefined;
    if (origin !== undefined && origin <= started) return void (drops.superseded += 1);
    const rank = origin ?? (this.#announcements ??= createAnnouncements()).rank(id, uplink.seq);
    if (rank === undefined) return fence.drop();
    if (queue.full) return void (drops["reply-full"] += 1);
    const reply = new PlayoutBuffer({ id, origin, rank }, now, memory);
    queue.add(reply);
    return reply;
  }

  /** Takes back an announcement that does not play yet. Returns it if it waits to play, and tells tts. */
  withdraw(id: string): PlayoutBuffer | undefined {
    const waiting = this.#queue.find(id);
    const announcements = (this.#announcements ??= createAnnouncements());
    if (!waiting && announcements.knows(id)) return undefined;
    if (waiting) this.#queue.remove(waiting);
    else announcements.rank(id, this.#deps.uplink.seq);
    announcements.end(id);
    this.#fence.publish(id);
    return waiting;
  }

  /** Tells whether a reply is an announcement that played, or waits to. */
  knows(id: string): boolean {
    return this.#announcements?.knows(id) === true;
  }

  /** Marks a reply as ended, if it is an announcement: it does not play again. */
  end(id: string): void {
    this.#announcements?.end(id);
  }
}
