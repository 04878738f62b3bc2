import type { RawMessage } from "@voxbus/bus";
import {
  channels,
  decodeEnvelope,
  deviceOfSubject,
  ProtocolError,
  type BadMessage,
  type Stats,
} from "@voxbus/protocol";
import type { Color, Shell } from "./command.ts";
import { createAudioFold } from "./audio-fold.ts";
import { describeMessage, describeTime } from "./describe.ts";
import { createDroppedView } from "./dropped-view.ts";
import { createFold } from "./fold.ts";
import { toJson, toText } from "./json.ts";
import { badKind, kindOf } from "./kinds.ts";
import type { Place, Selection } from "./selection.ts";
import { findChannel, plainSubject } from "./subjects.ts";
import { createTurnColors, isTurn, turnOf, type AnyMessage } from "./turn.ts";

/** Where and what a view shows. */
export interface TailViewOptions extends Pick<Shell, "print" | "paint"> {
  readonly json: boolean;
  readonly select: Selection;
}

/** Shows messages, a line each. */
export interface TailView {
  /** Shows a message that arrived at `at`, ms since the epoch. */
  show(message: RawMessage, at: number): void;
  /** Shows what is still being folded. */
  flush(): void;
}

/** Creates the view of `voxbus tail`. */
export function createTailView({ print, paint, json, select }: TailViewOptions): TailView {
  const colorOf = createTurnColors();
  const { kinds, device, turn } = select;

  /** Writes one line. `fields` is the content for programs, `text` the one for people. */
  const write = (
    { at, subject }: Place,
    fields: object,
    { text, color }: { readonly text: string; readonly color?: Color | undefined },
  ): void => {
    if (json) return print(toJson({ at, subject, ...fields }));
    const line = `${toText(subject)} ${text}`;
    return print(`${paint("dim", describeTime(at))} ${color === undefined ? line : paint(color, line)}`);
  };

  const audio = createAudioFold((place, sums, text) => {
    write(place, { audio: sums }, { text, color: colorOf("out", sums) });
  });
  const moreBad = createFold<BadLine, BadLine & { readonly more: number }>(
    (sum, item) => ({ ...item, more: sum === undefined ? 0 : sum.more + 1 }),
    (_key, { more, subject, bad }) => {
      if (more === 0) return;
      const text = `${bad.code}: ${bad.problem} (${more} more within a second)`;
      write({ at: Date.now(), subject }, { bad: { ...bad, more } }, { text, color: "red" });
    },
  );

  const showBad = (subject: string, at: number, { code, field, message }: ProtocolError): void => {
    if ((kinds !== undefined && !kinds.has(badKind)) || turn !== undefined) return;
    const bad = { code, field, problem: message };
    const key = `${subject} ${code} ${message}`;
    if (moreBad.add(key, { subject, bad }))
      write({ at, subject }, { bad }, { text: `${code}: ${message}`, color: "red" });
  };

  const dropped = createDroppedView(select, (place, fields, text) => write(place, fields, { text, color: "red" }));

  return {
    show({ subject: given, data }, at) {
      const channel = findChannel(given);
      if (channel === undefined) return;
      const subject = plainSubject(given);
      const kind = kindOf(channel);
      let message: AnyMessage;
      try {
        message = decodeEnvelope(channel.row().schema, data);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (device === undefined || isAbout(device, subject, {})) showBad(subject, at, error);
        return;
      }
      if (kind === "error") return dropped.show({ at, subject }, [message as unknown as BadMessage]);
      if (kind === "stats") {
        dropped.show({ at, subject }, (message as unknown as Stats).badMessages ?? []);
        if (!select.allStats && !kinds?.has(kind)) return;
      }
      if (!isSelected(select, { subject, kind, message })) return;
      if (message["kind"] === "audio") audio.add({ at, subject }, message);
      else
        write(
          { at, subject },
          { turn: turnOf(message)?.key, message },
          { text: describeMessage(message), color: colorOf(kind, message) },
        );
    },
    flush() {
      audio.flush();
      moreBad.flush();
    },
  };
}

interface BadLine {
  readonly subject: string;
  readonly bad: { readonly code: string; readonly field: string; readonly problem: string };
}

/** True for a message from, for or about a device: one of its subjects, one that names it, and what goes to every device. */
function isAbout(device: string, subject: string, { device: named, target, body }: AnyMessage): boolean {
  const own = deviceOfSubject(subject);
  if (own !== undefined) return own === device;
  const inBody = (body as { readonly device?: unknown } | undefined)?.device;
  return subject === channels.fleetOut().subject || [named, target, inBody].includes(device);
}

function isSelected(
  { device, kinds, turn }: Selection,
  { subject, kind, message }: { readonly subject: string; readonly kind: string; readonly message: AnyMessage },
): boolean {
  return (
    (device === undefined || isAbout(device, subject, message)) &&
    (kinds === undefined || kinds.has(kind) || kinds.has(String(message["kind"]))) &&
    (turn === undefined || isTurn(turnOf(message), turn))
  );
}
