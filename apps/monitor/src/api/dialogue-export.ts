import type { Dialogue } from "@voxbus/protocol";

/** A message of a dialogue, as it is exported. */
interface ExportedMessage {
  readonly at: number;
  readonly role: "user" | "assistant";
  readonly text: string;
  readonly end?: "interrupted" | "failed" | undefined;
}

/** Writes a dialogue as JSON lines: one for each turn, after the messages of older versions. */
export function toJsonLines({ messages, turns }: Dialogue): string {
  return [...messages, ...turns].map((one) => `${JSON.stringify(one)}\n`).join("");
}

/** Writes a dialogue as text: one line for what the user said, and one for the answer. */
export function toText(dialogue: Dialogue): string {
  return listMessages(dialogue)
    .map(({ at, role, text, end }) => {
      // A line break in a text would look like another message.
      const words = text.replaceAll(/\s+/g, " ").trim();
      return `${new Date(at).toISOString()} ${role}: ${words}${end ? ` [${end}]` : ""}\n`;
    })
    .join("");
}

function listMessages({ messages, turns }: Dialogue): readonly ExportedMessage[] {
  const ofTurns = turns.flatMap(({ at, user, said, end }): readonly ExportedMessage[] => [
    ...(user === "" ? [] : [{ at, role: "user" as const, text: user }]),
    ...(said.length === 0 && end === undefined ? [] : [{ at, role: "assistant" as const, text: said.join(" "), end }]),
  ]);
  return [...messages, ...ofTurns];
}
