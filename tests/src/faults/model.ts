import { startModelServer, type ChatEvent, type ChatRequest } from "@voxbus/testing";

/** The behavior of a model: well, or one kind of failure. */
export type ModelMood =
  | "well"
  /** Accepts the request and never sends anything. */
  | "silent"
  /** Sends nothing after the first sentence. */
  | "stalls"
  | "error 500"
  /** Drops the connection in mid-answer. */
  | "breaks off"
  /** Streams control characters and punctuation, which no synthesizer can speak. */
  | "garbage"
  /** Streams bytes that are not the protocol. */
  | "no protocol";

/** A model server whose behavior changes with its mood. */
export interface Model {
  readonly url: string;
  mood: ModelMood;
  close(): Promise<void>;
}

const garbage = "\u0000\uFFFD}{*#`|~^";

/** Starts it in a good mood. Its speech endpoint then answers 500, so that the embedded synthesizer speaks. */
export async function startModel(): Promise<Model> {
  const { url, close } = await startModelServer({
    chat: (request) => (model.mood === "error 500" ? 500 : answer(request, model.mood)),
    speak: () => (model.mood === "error 500" || model.mood === "well" ? 500 : { end: "hang" }),
  });
  const model: Model = { url, mood: "well", close };
  return model;
}

function* answer({ messages }: ChatRequest, mood: ModelMood): Generator<ChatEvent> {
  if (mood === "silent") yield { end: "hang" };
  const isQuestion = ({ role, content }: ChatRequest["messages"][number]) =>
    role === "user" && content?.startsWith("Your answer") !== true;
  const question = messages.findLast(isQuestion)?.content ?? "";
  if (mood === "no protocol") yield { raw: "data: <html>{[ this is no JSON\n\n" };
  else if (mood === "garbage") yield* Array<string>(200).fill(garbage);
  else {
    yield* splitWords(`You asked ${question}. This is a longer answer of a model. `);
    // The first sentence is over when the next one begins.
    if (mood === "stalls") yield { end: "hang" };
    if (mood === "breaks off") yield { end: "drop" };
    yield* splitWords("Now it is at its end.");
  }
}

function splitWords(text: string): string[] {
  return text.split(/(?<= )/);
}
