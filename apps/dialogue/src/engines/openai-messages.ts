import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { fillText } from "@voxbus/protocol";
import type { AnswerRequest, Message, PastCall } from "./engine.ts";
import { nameTools, plainName, type NamedTools } from "./tool-names.ts";

const defaultPrompt =
  "You are a voice assistant. Your answers are spoken aloud: answer in a few short sentences of plain text, without " +
  "lists, tables, links or code, in the language of the user. You may begin with one emoji that shows your mood.";
const continueInstruction = "Your answer was cut off. Go on exactly where it stopped, and repeat nothing of it.";
const marks = { interrupted: "[interrupted]", failed: "[no answer]" } as const;
const markInstruction =
  "Marks in brackets were added later: [interrupted] where the user stopped you, [no answer] where you gave none. Never say them.";

/**
 * Makes the messages of a chat: the prompt (the profile's, or else `usualPrompt`) with the time of day, the history, the user's text, and the answer so far. Users
 * and assistants alternate. A tool call is followed by its result. Calls are left out if the request has no tools, because
 * some servers refuse calls without tools.
 */
export function createMessages(
  { profile, history, text, spoken, device }: AnswerRequest,
  usualPrompt = defaultPrompt,
): ChatCompletionMessageParam[] {
  const at = Date.now();
  const { timeZone } = profile;
  const now = new Date(at).toLocaleString("en-US", { timeZone, dateStyle: "full", timeStyle: "short" });
  const isMarked = history.some((message) => message.role === "assistant" && (message.end || message.text === ""));
  const note = isMarked ? `\n\n${markInstruction}` : "";
  const prompt = `${fillText(profile.prompt ?? usualPrompt, profile, at)}\n\nIt is ${now} (${timeZone}).${note}`;
  const named = device.tools.list.length > 0 ? nameTools(device.tools.list) : undefined;
  const messages: ChatCompletionMessageParam[] = [
    { role: "system", content: prompt },
    ...history.flatMap((message, index) => toChat(message, named, index)),
    { role: "user", content: text },
  ];
  if (spoken === "") return messages;
  return [...messages, { role: "assistant", content: spoken }, { role: "user", content: continueInstruction }];
}

function toChat(message: Message, named: NamedTools | undefined, index: number): ChatCompletionMessageParam[] {
  if (message.role === "user") return [{ role: "user", content: message.text }];
  const { text, calls = [], end } = message;
  const content = [text, ...(end ? [marks[end]] : [])].join(" ").trim();
  const made = named ? calls.flatMap((call, k) => toCall(call, named, index * 10 + k)) : [];
  return [...made, { role: "assistant", content: content || marks.failed }];
}

/** Gives a call and its result. Each call is a message of its own: some models know only one call at a time. */
function toCall({ name, args, text }: PastCall, { toolOf }: NamedTools, number: number): ChatCompletionMessageParam[] {
  // Nine letters and digits are an id that every known server accepts.
  const id = `past${String(number).padStart(5, "0")}`;
  const known = [...toolOf].find(([, tool]) => tool.name === name)?.[0] ?? plainName(name);
  return [
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id, type: "function", function: { name: known, arguments: args } }],
    },
    { role: "tool", tool_call_id: id, content: text },
  ];
}
