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
    const { transport } = this.#parts;
    if (transport.reachesIdle && (!transport.hasAudio || this.#parts.used.shown?.knows(out.reply ?? "")))
      return this.#takeIdle(out);
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
      } else if (out.body.type === "close") {
        if (out.origin !== undefined) playout.reports.closeAfterTurn(out.origin);
      } else if (out.body.type === "user-speaking") {
        farewell.userActed();
        const { seq, on, origin } = out.body;
        if (origin !== undefined) farewell.userAsked();
        if (!on) playout.userCeased(seq, origin);
        else if (playout.userSpeaks(seq)) this.#silenced(seq);
      }
      return;
    }
    const { origin, body } = out;
    if (body.type === "stt" && origin !== undefined) {
      if (!turnLimit.transcript()) return playout.refuse(origin);
      this.#turns.heard(origin, uplink.publishedAt(origin));
      farewell.userAsked();
      playout.transcript(origin, body.text);
    } else if (body.type === "stt" || body.type === "llm" || body.type === "tts") playout.live.pass(out);
    else if (body.type === "goodbye" && this.#parts.transport.reachesIdle) outbox.close("done");
    else outbox.writeText(body);
  }

  /** Takes a frame for a device that has no audio channel: it is shown what others are told. */
  #takeIdle(out: Outbound): void {
    const { outbox, shown, used, drops } = this.#parts;
    if (isReplyFrame(out) && out.origin === undefined) {
      // The rest of one that was cut when the conversation ended.
      if (!shown.knows(out.reply) && used.playout?.intake.knows(out.reply)) return void (drops.fenced += 1);
      return shown.frame(out);
    }
    if (out.kind === "control" && out.body.type === "working") return shown.working(out);
    if (out.kind !== "text" || isReplyFrame(out)) return void (drops["no-channel"] += 1);
    const { type } = out.body;
    // An MCP request has an answer of its own. A device that restarts answers nothing that comes after the command.
    const asks = type === "alert" || (out.reply !== undefined && type !== "mcp");
    if (asks && type === "system") this.#parts.askForReceipt(out.reply);
    const isWritten = outbox.writeText(out.body);
    if (asks && isWritten && type !== "system") this.#parts.askForReceipt(out.reply);
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
