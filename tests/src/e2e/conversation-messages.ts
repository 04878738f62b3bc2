import type { Made, Round, Turn } from "./conversation-turns.ts";

/** A message of a chat, as a server gets it. */
export type ChatMessage = Readonly<Record<string, unknown>>;

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const toolResult = (id: string, content: string): ChatMessage => ({ role: "tool", tool_call_id: id, content });
const toolCalls = (content: string | null, calls: readonly (Made & { readonly id: string })[]): ChatMessage => ({
  role: "assistant",
  content,
  tool_calls: calls.map(({ id, name, args = {} }) => ({
    id,
    type: "function",
    function: { name, arguments: JSON.stringify(args) },
  })),
});

/** The messages of a turn as the history gives them to the model later. */
export function remember(turn: Turn, place: number): readonly ChatMessage[] {
  const calls = turn.rounds.flatMap((round) => round.calls ?? []).filter(({ isKept = true }) => isKept);
  const made = calls.flatMap((call, k) => {
    const id = `past${String((2 * place + 1) * 10 + k).padStart(5, "0")}`;
    return [toolCalls(null, [{ ...call, id }]), toolResult(id, call.kept ?? call.result)];
  });
  const words = turn.rounds.flatMap(({ says }) => says ?? []).join(" ");
  return [user(turn.user), ...made, assistant(turn.remembered ?? words)];
}

/** The ids that dialogue gives to calls: the server's own, or, where it has been used in the turn, another. */
function nameCalls(rounds: readonly Round[], upTo: number): readonly (readonly (Made & { readonly id: string })[])[] {
  const ids = new Set<string>();
  return rounds.slice(0, upTo).map(({ says, calls = [] }) =>
    calls.map((call, k) => {
      const given = `call-${k + (says === undefined ? 0 : 1)}`;
      const id = ids.has(given) ? `call${String(ids.size).padStart(5, "0")}` : given;
      ids.add(id);
      return { ...call, id };
    }),
  );
}

/** The messages of a turn that the model has seen before one of its rounds. */
export function follow({ user: text, rounds }: Turn, round: number): readonly ChatMessage[] {
  const named = nameCalls(rounds, round);
  const made = named.flatMap((calls, at) => [
    toolCalls(rounds[at]?.says ?? null, calls),
    ...calls.map(({ id, result }) => toolResult(id, result)),
  ]);
  return [user(text), ...made];
}

/** The prompt with the time, and with the explanation of marks once there are some. */
export function promptFor(history: readonly ChatMessage[]): RegExp {
  const isMarked = history.some(
    ({ role, content }) => role === "assistant" && /\[(?:interrupted|no answer)\]$/.test(String(content)),
  );
  const note = isMarked ? "\n\nMarks in brackets were added later: .*Never say them\\." : "";
  return new RegExp(`^You are a voice assistant\\. [^\n]*\n\nIt is [^\n]* \\(UTC\\)\\.${note}$`);
}
