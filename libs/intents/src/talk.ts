import { defineIntent, type Intent } from "./intent.ts";
import { story } from "./story.ts";

const jokes = [
  "Why did the scarecrow win a prize? Because he was outstanding in his field.",
  "I would tell you a joke about the network, but you might not get it.",
  "What do you call a fish without eyes? A fsh.",
  "Why was the maths book sad? It had too many problems.",
  "Parallel lines have so much in common. It is a shame they will never meet.",
];

/** Instructions for connecting a model, in words that can be spoken. */
export const modelHint =
  "I answer from a short list of phrases. To connect a language model, start the dialogue program with the engine set to " +
  "open A I, and give it the address of your model. The manual shows the two lines.";

/** Intents for greetings, arithmetic, entertainment and help. */
export const talkIntents: readonly Intent[] = [
  defineIntent({
    name: "hello",
    phrases: ["hello", "hello there", "hi there", "good morning", "good afternoon", "good evening"],
    answer: () => ({ text: "Hello! How can I help you?", emotion: "happy" }),
  }),
  defineIntent({
    name: "how are you",
    phrases: ["how are you [today]", "how are you doing"],
    answer: () => ({ text: "I am fine, thank you. All my queues are empty.", emotion: "happy" }),
  }),
  defineIntent({
    name: "goodbye",
    phrases: ["goodbye", "bye bye", "good night", "see you later"],
    answer: async ({ tools, callTool }, signal) => {
      // The device's session then ends after the answer. Without the program that has this tool, it stays open.
      if (tools.includes("end_conversation")) await callTool?.("end_conversation", {}, signal);
      return { text: "Goodbye!", emotion: "winking" };
    },
  }),
  defineIntent({
    name: "thank you",
    phrases: ["thank you [very much]", "thanks a lot"],
    answer: () => ({ text: "You are welcome.", emotion: "happy" }),
  }),
  defineIntent({
    name: "arithmetic",
    phrases: [
      "what is {left:number} {operator} {right:number}",
      "how much is {left:number} {operator} {right:number}",
      "calculate {left:number} {operator} {right:number}",
    ],
    answer: ({ slots }) => {
      const left = Number(slots["left"]);
      const right = Number(slots["right"]);
      const operator = String(slots["operator"]);
      if (operator === "/" && right === 0) {
        return { text: "No one can divide by zero, not even me.", emotion: "shocked" };
      }
      const results: Readonly<Record<string, number>> = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": left / right,
      };
      const result = results[operator] ?? Number.NaN;
      const rounded = Math.round(result * 100) / 100;
      const spoken = rounded < 0 ? `minus ${-rounded}` : String(rounded);
      return { text: `That is ${rounded === result ? "" : "about "}${spoken}.`, emotion: "confident" };
    },
  }),
  defineIntent({
    name: "joke",
    phrases: ["tell me a joke", "tell me another joke", "do you know a joke", "make me laugh"],
    answer: ({ now }) => ({ text: jokes[Math.floor(now.getTime() / 1000) % jokes.length] ?? "", emotion: "funny" }),
  }),
  defineIntent({
    name: "story",
    phrases: ["tell me a [long] story", "read me a story"],
    answer: () => ({ text: story, emotion: "relaxed" }),
  }),
  defineIntent({
    name: "flip a coin",
    phrases: ["flip a coin", "heads or tails"],
    answer: () => ({ text: Math.random() < 0.5 ? "Heads." : "Tails.", emotion: "winking" }),
  }),
  defineIntent({
    name: "roll the dice",
    phrases: ["roll the dice", "roll a dice"],
    answer: () => ({ text: `I rolled a ${1 + Math.floor(Math.random() * 6)}.`, emotion: "winking" }),
  }),
  defineIntent({
    name: "weather",
    phrases: [
      "what is the weather [today]",
      "what is the weather like [today]",
      "how is the weather [today]",
      "will it rain today",
    ],
    answer: () => ({
      text: "I cannot look out of the window, and no weather service is connected.",
      emotion: "embarrassed",
    }),
  }),
  defineIntent({
    name: "who are you",
    phrases: ["who are you", "what is your name", "introduce yourself"],
    answer: () => ({
      text: "I am the built in assistant. I know a short list of phrases and no more. Say help to hear some of them.",
      emotion: "happy",
    }),
  }),
  defineIntent({
    name: "model",
    phrases: [
      "how do i connect a [language] model",
      "how can i connect a [language] model",
      "connect a [language] model",
      "how do i make you smarter",
    ],
    answer: () => ({ text: modelHint, emotion: "confident" }),
  }),
  defineIntent({
    name: "stop",
    phrases: ["stop", "stop talking", "stop it", "be quiet", "never mind", "that is enough"],
    answer: () => ({ text: "Okay.", emotion: "neutral" }),
  }),
  defineIntent({
    name: "help",
    phrases: ["help", "help me", "what can you do", "what can i say", "what can i ask you"],
    answer: () => ({
      text:
        "You can ask me what time it is, or what day it is. Say, set a timer for five minutes. " +
        "Say, set the volume to fifty, or turn on the light. " +
        "Ask what seven times eight is, or ask for a joke or a long story. " +
        "Ask how to connect a language model to talk about anything else.",
      emotion: "happy",
    }),
  }),
];
