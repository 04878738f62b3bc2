import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { AnswerRequest } from "./engine.ts";

const defaultPrompt =
  "You are a voice assistant. Your answers are spoken aloud: answer in a few short sentences of plain text, without " +
  "lists, tables, links or code, in the language of the user. You may begin with one emoji that shows your mood.";
const continueInstruction = "Your answer was cut off. Go on exactly where it stopped, and repeat nothing of it.";

/** Makes the messages of a chat: the prompt with the time of day, the history, the user's text, and the answer so far. */
export function createMessages({ profile, history, text, spoken }: AnswerRequest): ChatCompletionMessageParam[] {
  const now = new Date().toLocaleString("en-US", { timeZone: profile.timeZone, dateStyle: "full", timeStyle: "short" });
  const prompt = `${profile.prompt ?? defaultPrompt}\n\nIt is ${now} (${profile.timeZone}).`;
  const messages: ChatCompletionMessageParam[] = [
    { role: "system", content: prompt },
    ...history.map(({ role, text }) => ({ role, content: text })),
    { role: "user", content: text },
  ];
  if (spoken === "") return messages;
  return [...messages, { role: "assistant", content: spoken }, { role: "user", content: continueInstruction }];
}
