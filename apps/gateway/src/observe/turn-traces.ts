import { context, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import { contextOf, traceOf, type Trace } from "@voxbus/bus";
import type { TurnPlayed } from "@voxbus/protocol";

/** Trace context as it travels in headers. */
export type TraceHeaders = Trace;

/** The spans of one session's turns: `turn` from the opening frame to the end of play-out, `play-out` below tts. */
export interface TurnTraces {
  /** A listen was started: what it leads to is one trace. Gives the headers for its opening frame. */
  listening(mode: string): TraceHeaders;
  /** Typed text: its turn begins. Gives the headers for its frame. */
  typed(): TraceHeaders;
  /** The newest turn's cause is known by its seq. */
  caused(origin: number): void;
  /** Something happened to the newest turn, such as `end of speech`, `abort` or `barge-in`. */
  event(name: string): void;
  /** A reply's first frame came, with the headers of tts. */
  replying(reply: string, headers: TraceHeaders): void;
  /** A turn or an announcement ended. */
  ended(turn: TurnPlayed): void;
  /** The session ended. */
  close(): void;
}

/** Follows the turns of one session; made only while tracing is on. */
export function traceTurns(session: {
  readonly id: string;
  readonly device: string;
  readonly gateway: string;
}): TurnTraces {
  const tracer = trace.getTracer("voxbus");
  const turns = new Map<number, Span>();
  const replies = new Map<string, Span>();
  let newest: Span | undefined;
  let nameless: Span | undefined;

  const begin = (kind: string): TraceHeaders => {
    nameless?.setAttribute("voxbus.turn.outcome", "nothing heard").end();
    const attributes = {
      "voxbus.turn.kind": kind,
      "voxbus.session": session.id,
      "voxbus.device": session.device,
      "voxbus.gateway": session.gateway,
    };
    newest = nameless = tracer.startSpan("turn", { attributes, root: true });
    return traceOf(newest);
  };
  const end = (span: Span, turn: TurnPlayed): void => {
    span.setAttributes({
      "voxbus.turn.outcome": turn.complete ? "played" : (turn.reason ?? "failed"),
      "voxbus.turn.fenced_frames": turn.fenced,
      "voxbus.turn.dropped_frames": turn.dropped,
      "voxbus.turn.late_frames": turn.late,
      ...(turn.firstAudio === undefined ? {} : { "voxbus.turn.first_audio_ms": turn.firstAudio }),
    });
    if (turn.reason === "deadline" || turn.reason === "dry")
      span.setStatus({ code: SpanStatusCode.ERROR, message: turn.reason });
    else if (turn.reason === "fenced") span.addEvent("fence");
    span.end();
  };

  return {
    listening: (mode) => begin(`spoken, ${mode}`),
    typed: () => begin("typed"),
    caused(origin) {
      // A listen may hold several utterances: the later ones are turns of their own in the same trace.
      const span = nameless ?? (newest && tracer.startSpan("turn", {}, trace.setSpan(context.active(), newest)));
      if (!span || turns.has(origin)) return;
      span.setAttribute("voxbus.turn.origin", origin);
      turns.set(origin, span);
      nameless = undefined;
      newest = span;
    },
    event(name) {
      newest?.addEvent(name);
    },
    replying(reply, headers) {
      if (replies.has(reply)) return;
      const attributes = { "voxbus.reply": reply };
      replies.set(reply, tracer.startSpan("play-out", { attributes }, contextOf(headers)));
    },
    ended(turn) {
      const playing = turn.reply === undefined ? undefined : replies.get(turn.reply);
      if (playing && turn.reply !== undefined) {
        replies.delete(turn.reply);
        end(playing, turn);
      }
      const span = turn.origin === undefined ? undefined : turns.get(turn.origin);
      if (span && turn.origin !== undefined) {
        turns.delete(turn.origin);
        end(span, turn);
      }
      // A turn whose words were answered together with a later one ends with it.
      for (const [origin, older] of turns) {
        if (turn.origin === undefined || origin >= turn.origin) continue;
        turns.delete(origin);
        older.setAttribute("voxbus.turn.outcome", "answered by a later turn").end();
      }
    },
    close() {
      nameless?.setAttribute("voxbus.turn.outcome", "nothing heard").end();
      for (const span of [...turns.values(), ...replies.values()])
        span.setAttribute("voxbus.turn.outcome", "closed").end();
      turns.clear();
      replies.clear();
      nameless = newest = undefined;
    },
  };
}
