import { channels, type InControl } from "@voxbus/protocol";
import type { Bus, Closer, On } from "@voxbus/subscriber";
import QuickLRU from "quick-lru";
import type { TurnView } from "../turns/turn-view.ts";
import { nameTurn, type Turns } from "../turns/turns.ts";
import type { Activity } from "./live.ts";

/** The number of inbound frames whose arrival is remembered, to time utterances: a minute of audio. */
const maxFrames = 1000;

/** An emotion and a subtitle may come before the first packet, and are numbered too. */
const firstPackets = 3;

/** Control frames that mean something to a person. */
const shown = new Set(["opened", "closed", "listen", "stop", "wake", "abort", "gap", "goodbye"]);

/**
 * Follows one device closely while a page shows it: its turns, with the times of its speech and of the answer's first
 * packet, and its other activity.
 */
export function watchDevice(
  parts: { readonly bus: Bus; readonly on: On; readonly turns: Turns },
  device: string,
  follow: { readonly turn: (turn: TurnView) => void; readonly activity: (activity: Activity) => void },
): Closer {
  const { bus, on, turns } = parts;
  const frames = new QuickLRU<number, number>({ maxSize: maxFrames });
  let voiced = "";
  const where = { device };

  const closers = [
    turns.watch(device, follow.turn),
    on.audio(({ seq }) => void frames.set(seq, Date.now()), where),
    on.heard(({ session, from, origin }) => {
      const [first, last] = [frames.get(from), frames.get(origin)];
      if (first === undefined || last === undefined) return;
      turns.note(device, { id: nameTurn({ session, origin }), session, speech: { from: first, to: last } });
    }, where),
    on.control(({ body }) => {
      if (!shown.has(body.type)) return;
      follow.activity({ at: Date.now(), kind: body.type, detail: describeControl(body) });
    }, where),
    on.event(({ state, reason, code }) => {
      if (state === undefined) return;
      const detail = [state, reason, code].filter((part) => part !== undefined).join(" ");
      follow.activity({ at: Date.now(), kind: "state", detail });
    }, where),
    bus.subscribe(channels.out(device), (frame) => {
      const { kind, session, origin, reply } = frame;
      if (kind !== "audio" || reply === undefined || reply === voiced) return;
      voiced = reply;
      // A watch that begins in mid-reply has missed the first packet.
      if (frame.sentence !== 0 || (frame.n ?? 0) > firstPackets) return;
      turns.note(device, {
        id: nameTurn({ reply, session, origin }),
        session: session ?? "",
        voicedAt: Date.now(),
      });
    }),
  ];
  return { close: () => closers.forEach((closer) => closer.close()) };
}

/** Describes a control frame in a word or two, without what was said. */
function describeControl(body: InControl): string {
  if (body.type === "listen") return body.mode;
  if (body.type === "closed") return `${body.code} ${body.reason}`;
  if (body.type === "abort") return body.reason ?? "";
  return body.type === "gap" ? `${body.frames} ${body.reason}` : "";
}
