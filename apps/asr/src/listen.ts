import type { Claim } from "@voxbus/bus";
import { channels, type Inbound, type InControlFrame } from "@voxbus/protocol";
import { signalWork, type Closer } from "@voxbus/subscriber";
import { readClock, type OpenTask } from "@voxbus/workers";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import type { FrontEndEvent } from "./audio-front-end.ts";
import type { Listen, ListenDeps } from "./listen-deps.ts";
import { createListenMessages, type ListenMessages } from "./listen-messages.ts";
import { readPauses } from "./pauses.ts";
import { followSaid, type Said } from "./said.ts";
import { openTranscriptStore, type TranscriptStore } from "./transcript-store.ts";
import { createUtterances, type Utterances } from "./utterances.ts";

// The gateway opens a listen again that no asr follows, within 15 s.
const signMs = 5000;
// A claim ends with its message, which the stream keeps for six hours.
const replayedMs = 30_000;
const maxListenMs = 5 * 3_600_000;

/**
 * Works on one listen (docs/bus.md, claim and follow). Resolves when the listen is over: by stop, a new start, abort, or
 * the end of the session or of its gateway. Rejects when another worker has to go on with it.
 */
export async function followListen(claim: Claim<InControlFrame>, deps: ListenDeps): Promise<void> {
  const { device, message, sent, trace, signal } = claim;
  const { session, seq, body } = message;
  if (body.type !== "listen") return;
  const { mode, gateway } = body;
  const [transcripts, newest] = await Promise.all([
    openTranscriptStore({ bus: deps.bus, device, session }, signal),
    deps.bus.lastStored(channels.inControlOpen(device), signal),
  ]);
  const { last } = transcripts;
  // What ended this listen is no longer in the gateway's replay.
  const isOld = deps.bus.now() - message.at > replayedMs;
  if (isOld && newest.message?.session === session && newest.message.seq > seq) return;
  if (last !== undefined && (last.listen > seq || (last.listen === seq && mode === "manual"))) return;
  const profile = deps.profileOf(device);
  const listen = { device, session, seq, mode, sent, trace };
  const pauses = readPauses(profile, deps.settings.endMs);
  const work = new ListenWork(claim, deps, { ...listen, pauses }, transcripts);
  await work.run(gateway, Math.max(seq, last?.origin ?? 0));
}

/** The work on one listen, until the listen is over or goes to another worker. */
class ListenWork {
  readonly #claim: Claim<InControlFrame>;
  readonly #deps: ListenDeps;
  readonly #listen: Listen;
  readonly #frontEnd: OpenTask<AudioFrontEndContract>;
  readonly #messages: ListenMessages;
  readonly #utterances: Utterances;
  readonly #said: Said;
  /** The reason why another worker has to go on. */
  #failure: Error | undefined;
  #over = false;
  #stopSeq: number | undefined;
  #spoken = false;
  /** True if frames are lost. */
  #lacks = false;
  /** The seq of the newest frame, and of the newest abort. */
  #newest = 0;
  #aborted = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Tells the gateway from the stop on that the transcript is worked on. */
  #work: Closer | undefined;

  constructor(claim: Claim<InControlFrame>, deps: ListenDeps, listen: Listen, transcripts: TranscriptStore) {
    this.#claim = claim;
    this.#deps = deps;
    this.#listen = listen;
    const { maxMs } = deps.settings;
    const { end, ask } = listen.pauses;
    const pauses = listen.mode === "manual" ? { endMs: Infinity, pauseMs: Infinity } : { endMs: end, pauseMs: ask };
    this.#frontEnd = deps.frontEnds.open({ ...pauses, maxMs }, claim.signal);
    this.#said = followSaid(deps.bus, listen);
    this.#messages = createListenMessages(deps.bus, listen);
    this.#utterances = createUtterances(deps, {
      listen,
      transcripts,
      messages: this.#messages,
      said: this.#said,
      onPause: (origin, completion) => this.#endAfter(origin, listen.pauses.of(completion)),
      signal: claim.signal,
      onConcluded: () => this.#yieldWhenStopping(),
      onFailed: (error) => this.#fail(error),
    });
  }

  /** Follows the device's frames after the seq `after`. */
  async run(gateway: string, after: number): Promise<void> {
    const { bus, stopping, settings } = this.#deps;
    const { device, session, seq, mode } = this.#listen;
    this.#newest = after;
    const idleMs = mode === "manual" ? settings.idleMs.manual : settings.idleMs.open;
    this.#idle = setTimeout(() => this.#endIdleSpeech(), idleMs);
    const following = bus.follow({
      device,
      session,
      gateway,
      after,
      frame: (frame) => this.#takeFrame(frame),
      lost: (from, to) => this.#lose(to, to - from + 1),
      gone: () => this.#end({ ended: true }),
    });
    this.#messages.listening("on");
    const signs = setInterval(() => this.#messages.listening("on"), signMs);
    const yieldWhenStopping = () => this.#yieldWhenStopping();
    stopping.addEventListener("abort", yieldWhenStopping);
    try {
      // The listen killed its workers before any of it was stored. An apology is better than one more victim.
      if (this.#claim.final && after === seq) {
        this.#utterances.endEmpty(after, "failed");
        this.#messages.listening("over");
        this.#end({ ended: false });
      }
      this.#yieldWhenStopping();
      for await (const events of this.#frontEnd.results) for (const event of events) this.#takeEvent(event);
      await this.#utterances.settled();
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      stopping.removeEventListener("abort", yieldWhenStopping);
      clearTimeout(this.#idle);
      clearInterval(signs);
      this.#work?.close();
      following.close();
      this.#said.close();
      this.#utterances.discard({ ended: true });
    }
  }

  #takeFrame(frame: Inbound): void {
    this.#newest = frame.seq;
    if (frame.kind === "control") this.#takeControl(frame);
    if (frame.kind !== "audio" || this.#stopSeq !== undefined || this.#over) return;
    this.#idle?.refresh();
    if (!this.#utterances.busy && frame.at - this.#claim.message.at > maxListenMs) {
      this.#end({ ended: false });
      this.#messages.listening("again");
      return;
    }
    // A packet is a view of all that arrived from NATS together, and would take that along to the thread.
    this.#frontEnd.write({ type: "packet", seq: frame.seq, packet: frame.body.slice(), sentAt: readClock() });
  }

  #takeControl({ seq, body }: InControlFrame): void {
    if (body.type === "stop") this.#stop(seq);
    else if (body.type === "listen") this.#end({ ended: false });
    else if (body.type === "closed") this.#end({ ended: true });
    else if (body.type === "abort") this.#abort(seq);
    else if (body.type === "fence") this.#utterances.fence(body.fence);
    else if (body.type === "gap") this.#lose(seq, body.frames);
  }

  /** Frames up to `seq` are lost. They may have been speech, or the button's release. */
  #lose(seq: number, frames: number): void {
    this.#newest = Math.max(this.#newest, seq);
    this.#lacks = true;
    this.#idle?.refresh();
    this.#frontEnd.write({ type: "lost", seq, frames });
  }

  #takeEvent(event: FrontEndEvent): void {
    if (this.#over) return;
    if (event.type === "onset") {
      if (event.from <= this.#aborted) return;
      this.#spoken = true;
      // The front end may be late. The timer must not have fired before it found the speech.
      this.#idle?.refresh();
      this.#utterances.begin(event.from);
    } else if (event.type === "speech") this.#utterances.write(event.samples);
    else if (event.type === "pause") this.#utterances.pause(event.origin);
    else if (event.type === "end") this.#utterances.end(event.origin, event.voicing);
    else if (event.type === "behind") this.#deps.frontEnds.grow();
    else if (event.type === "invalid") this.#deps.metrics.invalidPacket(event.code);
    else if (this.#stopSeq !== undefined) this.#endSilence(this.#stopSeq);
  }

  /** The listen was stopped. If nothing was said since its last transcript, the gateway must not wait for another one. */
  #endSilence(seq: number): void {
    if (this.#listen.mode === "manual" && !this.#spoken)
      this.#utterances.endEmpty(seq, this.#lacks ? "failed" : "nothing-heard");
    else if (!this.#utterances.busy) this.#messages.userSpeaking(false, seq);
  }

  #endAfter(origin: number, pauseMs: number): void {
    if (this.#stopSeq === undefined && !this.#over) this.#frontEnd.write({ type: "endAfter", origin, pauseMs });
  }

  #endIdleSpeech(): void {
    const isManual = this.#listen.mode === "manual";
    if (isManual && (this.#utterances.busy || this.#lacks)) this.#stop(this.#newest);
    else if (this.#utterances.busy) this.#frontEnd.write({ type: "flush" });
  }

  /**
   * The user wants silence: what was said so far is discarded. Only a manual listen ends. A device with an open
   * microphone goes on sending, in realtime mode without another start (docs/protocol.md, life of a device).
   */
  #abort(seq: number): void {
    if (this.#listen.mode === "manual") return this.#end({ ended: true });
    this.#aborted = seq;
    this.#utterances.discard({ ended: true });
    if (this.#stopSeq === undefined && !this.#over) this.#frontEnd.write({ type: "flush" });
    this.#yieldWhenStopping();
  }

  /** Ends the listen after its last utterance. */
  #stop(seq: number): void {
    if (this.#stopSeq !== undefined) return;
    this.#stopSeq = seq;
    const { device, session } = this.#listen;
    this.#work = signalWork(this.#deps.bus, device, { session, origin: seq });
    this.#frontEnd.write({ type: "flush" });
    this.#frontEnd.end();
  }

  /** Ends the listen at once. The open utterance is discarded, with `ended` also those that are not stored yet. */
  #end(discard: { readonly ended: boolean }): void {
    this.#over = true;
    this.#utterances.discard(discard);
    this.#frontEnd.end();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#end({ ended: true });
  }

  /** Leaves the listen to another worker if the program stops and no utterance is open. */
  #yieldWhenStopping(): void {
    const done = this.#over || this.#stopSeq !== undefined;
    if (this.#deps.stopping.aborted && !this.#utterances.busy && !done) this.#fail(new Error("this asr stops"));
  }
}
