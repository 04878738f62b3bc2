import { setTimeout as sleep } from "node:timers/promises";
import { dialects, type ChatEvent, type Dialect } from "@voxbus/testing";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const failed = "I am sorry, I cannot answer right now.";
const interrupted = "I am sorry, I lost my thread.";

/** Asks a question and judges the answer: exactly these sentences. */
async function answersWith(stage: Stage, ...expected: readonly string[]): Promise<Outcome> {
  return saysExactly(await (await stage.connect()).ask("how are you"), ...expected);
}

/** A server whose stream has an odd form, while the answer is an ordinary one. */
function form(odd: string, dialect: Partial<Dialect>, why: string, quick = false): FieldCase {
  return {
    odd,
    right: "the answer is spoken as it is",
    why,
    quick,
    async run(stage) {
      stage.server.dialect = { ...dialects.openai, ...dialect };
      stage.server.script.chat = () => ["It is ", "fine today. ", "Is it not?"];
      return answersWith(stage, "It is fine today.", "Is it not?");
    },
  };
}

/** A server that streams odd events, with pauses in ms, and the sentences that must be heard. */
function stream(
  odd: string,
  events: readonly (ChatEvent | number)[],
  expected: readonly string[],
  text: { readonly right: string; readonly why: string; readonly quick?: boolean },
): FieldCase {
  return {
    odd,
    ...text,
    async run(stage) {
      // A process that has seen an answer without thoughts no longer waits for their end.
      await stage.restart("dialogue");
      stage.server.script.chat = async function* () {
        for (const event of events) {
          if (typeof event === "number") await sleep(event);
          else yield event;
        }
      };
      return answersWith(stage, ...expected);
    },
  };
}

const raw = (data: unknown): ChatEvent => ({
  raw: `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`,
});
const delta = (fields: object, rest: object = {}) =>
  raw({ choices: [{ index: 0, delta: fields, finish_reason: null, ...rest }] });
const half = (text: string) => raw(`{"choices":[{"index":0,"delta":{"content":"${text}"}}]}`);

const forms: readonly FieldCase[] = [
  form("the answer is one JSON object although a stream was asked for", { answersWhole: true }, "Small gateways do not know `stream`.", true),
  form("lines end with CRLF, and no blank follows `data:`", { newline: "\r\n", prefix: "data:" }, "Proxies on Windows write so."),
  form("lines of JSON without `data:`", { prefix: "" }, "Ollama's own API and some gateways stream so."),
  form("comments and event names stand between the chunks", { comments: true }, "OpenRouter and LM Studio keep connections alive so."),
  form("content is a list of parts", { content: "parts" }, "Mistral's models with thoughts answer so."),
  form("thoughts come in `reasoning_content`", { thoughts: "reasoning_content" }, "DeepSeek, Qwen, vLLM and llama.cpp stream so."),
  form("thoughts come in `reasoning`", { thoughts: "reasoning" }, "Ollama, OpenRouter and Groq stream so."),
  form("thoughts come as a part of the content", { thoughts: "part", content: "parts" }, "Mistral's Magistral streams so."),
  form("thoughts come in `reasoning_details`", { thoughts: "details" }, "OpenRouter streams so."),
  form("chunks without choices, with null, or with an empty delta", { emptyChunks: true }, "Azure's filters and the counts of tokens come so."),
  form("neither a last chunk nor `[DONE]`", { finish: undefined, sendsDone: false }, "Gateways to other APIs close the connection instead."),
  form("`finish_reason` is an empty text, and the role is in each chunk", { finish: "", role: "each" }, "Older gateways in Go write so."),
  form("the last chunk repeats the whole answer", { repeatsAnswer: true }, "Gateways that also answer whole add `message`."),
]; // prettier-ignore

const streams: readonly FieldCase[] = [
  stream("thoughts between `<think>` tags in the content", ["<think>He asks", " me.</think>", "I am well."], ["I am well."], {
    right: "only the answer is spoken",
    why: "Reasoning models do so where the server has no parser.",
  }),
  stream("thoughts that only end, with `</think>`", ["He asks me. I think.", "</think>", "I am well."], ["I am well."], {
    right: "only the answer is spoken",
    why: "The chat templates of DeepSeek R1 and QwQ have the first tag in the prompt.",
  }),
  stream("thoughts between `<thinking>` tags", ["<thinking>He asks.</thinking>I am well."], ["I am well."], {
    right: "only the answer is spoken",
    why: "Models that imitate others invent tags.",
  }),
  stream(
    "the channels of gpt-oss are in the content",
    ["<|channel|>analysis<|message|>He asks how I am.<|end|>", "<|start|>assistant<|channel|>final<|message|>", "I am well."],
    ["I am well."],
    { right: "only the final channel is spoken", why: "Servers without its parser pass the channels through." },
  ),
  stream("a refusal in the field `refusal`", [delta({ refusal: "I cannot " }), delta({ refusal: "help with that." })], ["I cannot help with that."], {
    right: "the refusal is spoken",
    why: "OpenAI's models refuse in a field of its own, and the user waits for words.",
  }),
  stream("marks of the template at the end of the answer", ["I am well.", "<|im_end|>", "<|eot_id|></s>"], ["I am well."], {
    right: "no mark is spoken",
    why: "A wrong chat template lets them through.",
  }),
  stream("an emoji in two halves, in two chunks", [half("I am well \\ud83d"), half("\\ude00."), " Bye."], ["I am well .", "Bye."], {
    right: "the answer is spoken, without a broken character",
    why: "Servers cut between tokens, and a token may be half a character.",
  }),
  stream("replacement characters where a server cut a character", ["I am \ufffd\ufffdwell."], ["I am well."], {
    right: "the words are spoken, and the broken characters are not shown",
    why: "Ollama and llama.cpp write U+FFFD where a token ends inside a character.",
  }),
  stream("the answer is cut at the longest length", ["I am well. And I", delta({}, { finish_reason: "length" })], ["I am well.", "And I"], {
    right: "everything that was written is spoken",
    why: "`max_tokens` of a server ends answers anywhere.",
  }),
  stream("an error in the stream after the first sentence", ["I am well. ", raw({ error: { code: 502, message: "gone" }, choices: [{ delta: { content: "" }, finish_reason: "error" }] })], ["I am well.", interrupted], {
    right: "the sentence is spoken, then an apology",
    why: "OpenRouter reports errors of its providers so.",
    quick: true,
  }),
  stream("an error as an event without a wrapper", [{ raw: 'event: error\ndata: {"message":"overloaded"}\n\n' }], [failed], {
    right: "an apology",
    why: "DashScope and gateways to other APIs report errors so.",
  }),
  stream("a body that ends in the middle of a chunk", ["I am well. ", { raw: 'data: {"choices":[{"del' }, 500, { end: "drop" }], ["I am well.", interrupted], {
    right: "the sentence is spoken, then an apology",
    why: "Proxies cut long answers.",
  }),
  stream("thoughts up to the longest length, and no answer", ["<think>He asks how I am.", delta({}, { finish_reason: "length" })], [failed], {
    right: "an apology, and no thought is spoken",
    why: "A server cuts a model that thinks too long, and says so in `finish_reason`.",
  }),
  stream("control characters in the answer", ["I am\u0000 \u0007well\u001b[0m."], ["I am well."], {
    right: "only the words are spoken and shown",
    why: "Models that were trained on terminals write them.",
  }),
]; // prettier-ignore

/** A server that answers a request with a whole body of its own. */
function body(odd: string, status: number, text: object | string, why: string): FieldCase {
  return {
    odd,
    right: "an apology, and nothing of the body is spoken",
    why,
    async run(stage) {
      await stage.restart("dialogue");
      stage.server.script.chat = () => ({ status, body: text });
      const outcome = await answersWith(stage, failed);
      stage.server.script.chat = () => ["I am back."];
      return both(outcome, await answersWith(stage, "I am back."));
    },
  };
}

const bodies: readonly FieldCase[] = [
  body("an HTML page with status 200", 200, "<html><body>Please sign in</body></html>", "Portals and proxies answer so."),
  body("an error in a body with status 200", 200, { error: { message: "model not found" } }, "Gateways answer so."),
  body("an empty answer with status 200", 200, "", "A server that has just crashed answers so."),
  body("429 for one question", 429, { error: { message: "slow down" } }, "Free quotas are small."),
  body("503 while the model loads", 503, { error: { message: "Loading model", code: 503 } }, "llama.cpp answers so after its start."),
  body("400 for a question of its own", 400, { error: { message: "blocked by the content filter" } }, "DashScope and Azure filter questions."),
]; // prettier-ignore

/** A server that accepts a request and is silent. */
const silent: FieldCase = {
  odd: "the stream stalls after the first sentence",
  right: "the sentence is spoken at once, then an apology",
  why: "An overloaded server keeps the connection and sends nothing.",
  async run(stage) {
    stage.server.script.chat = () => ["I am well. ", { end: "hang" }];
    const device = await stage.connect();
    const startedAt = performance.now();
    const asked = device.ask("how are you");
    await device.next({ type: "tts", state: "sentence_start" });
    const ms = performance.now() - startedAt;
    return both(saysExactly(await asked, "I am well.", interrupted), check("at once", ms < 2500));
  },
};

/** Language models' servers, which take liberties with the streams of OpenAI's chat completions. */
export const modelCases: FieldKind = { title: "Models", cases: [...forms, ...streams, ...bodies, silent] };
