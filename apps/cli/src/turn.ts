import type { Color } from "./command.ts";

/** The fields by which messages of all channels name their turn. */
interface Marks {
  readonly session?: string;
  readonly origin?: number;
  readonly reply?: string;
}

/** A message whose channel is known only at run time. */
export type AnyMessage = Readonly<Record<string, unknown>>;

/** The turn, or the announcement, that a message belongs to. */
export interface Turn {
  readonly origin: number | undefined;
  readonly reply: string | undefined;
  /** `session:origin`, or the reply of an announcement. */
  readonly key: string;
}

/** Finds the turn of a message. Typed text opens one. Audio and controls of a device belong to none yet. */
export function turnOf(message: AnyMessage): Turn | undefined {
  const places = [message, message["turn"], message["body"]].filter(isMap);
  const { session } = message as Marks;
  const find = <N extends keyof Marks>(name: N) =>
    places.find((place) => place[name] !== undefined)?.[name] as Marks[N];
  const opens = message["kind"] === "text" && typeof message["seq"] === "number";
  const origin = opens ? (message["seq"] as number) : find("origin");
  const reply = find("reply");
  if (origin !== undefined) return { origin, reply, key: `${session ?? ""}:${origin}` };
  return reply === undefined ? undefined : { origin, reply, key: reply };
}

function isMap(value: unknown): value is AnyMessage {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

/** True for the turn that a user named: its origin, `session:origin`, or its reply. */
export function isTurn(turn: Turn | undefined, named: string): boolean {
  return turn !== undefined && [String(turn.origin), turn.key, turn.reply].includes(named);
}

const palette: readonly Color[] = ["cyan", "green", "yellow", "magenta", "blue"];
const maxTurns = 1000;

/**
 * Gives each turn a color, the same for all its messages: from the first partial transcript, whose origin still grows.
 * Remembers the newest 1000 turns.
 */
export function createTurnColors(): (kind: string, message: AnyMessage) => Color | undefined {
  const colors = new Map<string, Color>();
  let next = 0;
  return (kind, message) => {
    const turn = turnOf(message);
    if (turn === undefined) return undefined;
    // Names the turn that the session's user is speaking, until the final transcript names its origin.
    const spoken = `${String(message["session"])}/spoken`;
    const keys = kind === "heard.partial" ? [spoken] : [turn.key];
    const known = kind === "in.text" || turn.origin === undefined ? [turn.key] : [turn.key, spoken];
    const color = known.flatMap((key) => colors.get(key) ?? [])[0] ?? palette[next++ % palette.length]!;
    if (kind === "heard") colors.delete(spoken);
    for (const key of keys) {
      colors.delete(key);
      colors.set(key, color);
    }
    while (colors.size > maxTurns) colors.delete(colors.keys().next().value!);
    return color;
  };
}
