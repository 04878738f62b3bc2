import { channels, type InControl } from "@voxbus/protocol";
import type { Bus, Closer, On } from "@voxbus/subscriber";
import type { Activity, TurnView } from "./live.ts";
import { nameTurn, type Turns } from "../turns/turns.ts";

/** How many inbound frames are remembered to tell when an utterance was spoken: a minute. */
const maxFrames = 1000;

/** The first packet may have an emotion and a subtitle before it, which are numbered too. */
const firstPackets = 3;

/** Control frames that say something to a person. */
const shown = new Set(["opened", "closed", "listen", "stop", "wake", "abort", "gap", "goodbye"]);

/**
 * Follows one device closely while somebody looks at it: its turns with the times of its speech and of the answer's
 * first packet, and what happens beside them.
 */
export function watchDevice(
  parts: { readonly bus: Bus; readonly on: On; readonly turns: Turns },
  device: string,
  told: { readonly turn: (turn: TurnView) => void; readonly activity: (activity: Activity) => void },
): Closer {
  const { bus, on, turns } = parts;
  const frames = new Map<number, number>();
  let voiced = "";
  const where = { device };

  const remember = (seq: number) => {
    frames.set(seq, Date.now());
    if (frames.size > maxFrames) frames.delete(frames.keys().next().value ?? 0);
  };

  const closers = [
    turns.watch(device, told.turn),
    on.audio(({ seq }) => remember(seq), where),
    on.heard(({ session, from, origin }) => {
      const [first, last] = [frames.get(from), frames.get(origin)];
      if (first === undefined || last === undefined) return;
      turns.note(device, { id: nameTurn({ session, origin }), session, speech: { from: first, to: last } });
    }, where),
    on.control(({ body }) => {
      if (!shown.has(body.type)) return;
      told.activity({ at: Date.now(), kind: body.type, detail: describeControl(body) });
    }, where),
    on.event(({ state, reason, code }) => {
      if (state === undefined) return;
      const detail = [state, reason, code].filter((part) => part !== undefined).join(" ");
      told.activity({ at: Date.now(), kind: "state", detail });
    }, where),
    bus.subscribe(channels.out(device), (frame) => {
      const { kind, session, origin, reply } = frame;
      if (kind !== "audio" || reply === undefined || reply === voiced) return;
      voiced = reply;
      // Whoever begins to watch in mid-reply has missed its first packet.
      if (frame.sentence !== 0 || (frame.n ?? 0) > firstPackets) return;
      const id = nameTurn({
        reply,
        ...(session === undefined ? {} : { session }),
        ...(origin === undefined ? {} : { origin }),
      });
      turns.note(device, { id, session: session ?? "", voicedAt: Date.now() });
    }),
  ];
  return { close: () => closers.forEach((closer) => closer.close()) };
}

/** A control frame in a word or two; what somebody said is not in it. */
function describeControl(body: InControl): string {
  if (body.type === "listen") return body.mode;
  if (body.type === "closed") return `${body.code} ${body.reason}`;
  if (body.type === "abort") return body.reason ?? "";
  return body.type === "gap" ? `${body.frames} ${body.reason}` : "";
}
