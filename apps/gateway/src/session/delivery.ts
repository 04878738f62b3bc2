import type { Trace } from "@voxbus/bus";
import type { Outbound } from "@voxbus/protocol";
import type { TurnObserver } from "../observe/turns.ts";
import { isReplyFrame } from "../playout/buffer.ts";
import type { Inbox, SessionParts } from "./inbox.ts";

/** Hands one session's frames from the bus to its parts. */
export class Delivery {
  readonly #turns: TurnObserver;
  readonly #parts: SessionParts;
  readonly #inbox: Pick<Inbox, "listening">;

  constructor(turns: TurnObserver, parts: SessionParts, inbox: Pick<Inbox, "listening">) {
    this.#turns = turns;
    this.#inbox = inbox;
    this.#parts = parts;
  }

  /** Takes a frame that is for this session. */
  take(out: Outbound, trace: Trace): void {
    const { uplink, playout, farewell, outbox, turnLimit } = this.#parts;
    if (isReplyFrame(out)) {
      if (out.sentence === 0 && out.n === 0) this.#turns.replying(out.reply, trace);
      if (out.kind === "audio") this.#turns.audioArrived(out.origin);
      return playout.frame(out);
    }
    if (out.kind === "audio") return playout.live.pass(out);
    if (out.kind === "control") {
      if (out.body.type === "barge-in") this.#bargeIn(out.body.seq);
      else if (out.body.type === "listening") this.#inbox.listening(out.body);
      else if (out.body.type === "working") playout.working(out, out.body.waits);
      else if (out.body.type === "shed") {
        if (out.origin !== undefined) playout.shed(out.origin);
      } else if (out.body.type === "user-speaking") {
        farewell.userActed();
        const { seq, on, origin } = out.body;
        if (!on) playout.userCeased(seq, origin);
        else if (playout.userSpeaks(seq)) this.#silenced(seq);
      }
      return;
    }
    const { origin, body } = out;
    if (body.type === "stt" && origin !== undefined) {
      if (!turnLimit.transcript()) return playout.refuse(origin);
      this.#turns.heard(origin, uplink.publishedAt(origin));
      playout.transcript(origin, body.text);
    } else if (body.type === "stt" || body.type === "llm" || body.type === "tts") playout.live.pass(out);
    else outbox.writeText(body);
  }

  #bargeIn(seq: number): void {
    const { playout } = this.#parts;
    const spoke = playout.speaking;
    playout.bargeIn(seq);
    if (spoke && !playout.speaking) this.#turns.event("barge-in");
  }

  /** Measures how long the device went on sounding after the frame `seq`, in which its user began to speak. */
  #silenced(seq: number): void {
    const since = this.#parts.uplink.publishedAt(seq);
    if (since !== undefined) this.#turns.silenced(since, "voice");
  }
}
