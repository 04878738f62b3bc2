import { context, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import { contextOf, traceOf, type Trace } from "@voxbus/bus";
import { outcomeOf, turnOutcomes, type TurnPlayed } from "@voxbus/protocol";

const tracer = trace.getTracer("voxbus");

/**
 * Spans of one session's turns: `turn` from the opening frame to the end of play-out, and `play-out` below tts. Create it
 * only while tracing is on.
 */
export class TurnTraces {
  readonly #attributes: Readonly<Record<string, string>>;
  readonly #turns = new Map<number, Span>();
  readonly #replies = new Map<string, Span>();
  #newest: Span | undefined;
  /** The newest turn's span until its cause has a seq. */
  #nameless: Span | undefined;

  constructor(session: { readonly id: string; readonly device: string; readonly gateway: string }) {
    this.#attributes = {
      "voxbus.session": session.id,
      "voxbus.device": session.device,
      "voxbus.gateway": session.gateway,
    };
  }

  /** A listen starts. It and all that follows from it are one trace. Gives the headers of its opening frame. */
  listening(mode: string): Trace {
    return this.#begin(`spoken, ${mode}`);
  }

  /** Typed text came: its turn begins. Gives the headers of its frame. */
  typed(): Trace {
    return this.#begin("typed");
  }

  #begin(kind: string): Trace {
    this.#endNameless();
    const attributes = { "voxbus.turn.kind": kind, ...this.#attributes };
    this.#newest = this.#nameless = tracer.startSpan("turn", { attributes, root: true });
    return traceOf(this.#newest);
  }

  #endNameless(): void {
    this.#nameless?.setAttribute("voxbus.turn.outcome", "nothing-heard").end();
  }

  /** The newest turn's cause has a seq. */
  caused(origin: number): void {
    const newest = this.#newest;
    // A listen may hold several utterances. The later ones are turns of their own in the same trace.
    const span = this.#nameless ?? (newest && tracer.startSpan("turn", {}, trace.setSpan(context.active(), newest)));
    if (!span || this.#turns.has(origin)) return;
    span.setAttribute("voxbus.turn.origin", origin);
    this.#turns.set(origin, span);
    this.#nameless = undefined;
    this.#newest = span;
  }

  /** Something happened to the newest turn, such as `end of speech`, `abort` or `barge-in`. */
  event(name: string): void {
    this.#newest?.addEvent(name);
  }

  /** A reply's first frame came, with the headers that tts sent. */
  replying(reply: string, headers: Trace): void {
    if (this.#replies.has(reply)) return;
    const attributes = { "voxbus.reply": reply };
    this.#replies.set(reply, tracer.startSpan("play-out", { attributes }, contextOf(headers)));
  }

  /** A turn or an announcement ended. */
  ended(turn: TurnPlayed): void {
    const { reply, origin } = turn;
    const playing = reply === undefined ? undefined : this.#replies.get(reply);
    if (playing && reply !== undefined) {
      this.#replies.delete(reply);
      endSpan(playing, turn);
    }
    if (origin === undefined) return;
    const span = this.#turns.get(origin);
    this.#turns.delete(origin);
    if (span) endSpan(span, turn);
    // A turn that was answered together with a later one ends with it.
    for (const [older, one] of this.#turns) {
      if (older >= origin) continue;
      this.#turns.delete(older);
      one.setAttribute("voxbus.turn.outcome", "answered by a later turn").end();
    }
  }

  /** The session ended. */
  close(): void {
    this.#endNameless();
    for (const span of [...this.#turns.values(), ...this.#replies.values()])
      span.setAttribute("voxbus.turn.outcome", "closed").end();
    this.#turns.clear();
    this.#replies.clear();
    this.#nameless = this.#newest = undefined;
  }
}

function endSpan(span: Span, turn: TurnPlayed): void {
  const outcome = outcomeOf(turn);
  span.setAttributes({
    "voxbus.turn.outcome": outcome,
    "voxbus.turn.fenced_frames": turn.fenced,
    "voxbus.turn.dropped_frames": turn.dropped,
    "voxbus.turn.late_frames": turn.late,
    ...(turn.firstAudio === undefined ? {} : { "voxbus.turn.first_audio_ms": turn.firstAudio }),
  });
  if (turnOutcomes[outcome].class === "fault") span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
  else if (outcome === "fenced") span.addEvent("fence");
  span.end();
}
