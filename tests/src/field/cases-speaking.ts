import { setTimeout as sleep } from "node:timers/promises";
import type { FieldTurn } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { textResult, type McpScript } from "./mcp.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

type Chat = Stage["server"]["script"]["chat"];

/** Asks, and judges that a first sentence is heard before `goOn` lets the model write more. */
async function hearFirst(
  stage: Stage,
  first: string,
  script: (wait: () => Promise<void>) => Chat,
  mcp?: McpScript,
): Promise<{ readonly early: Outcome; readonly turn: FieldTurn }> {
  let goOn: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  // A case that fails must end too.
  const wait = () => Promise.race([gate, sleep(5000)]);
  stage.server.script.chat = script(wait);
  const device = await stage.connect(mcp ? { mcp } : {});
  const asked = device.ask("tell me");
  const shown = await Promise.race([
    device.next({ type: "tts", state: "sentence_start" }).then(({ text }) => String(text)),
    sleep(3000, "nothing"),
  ]);
  goOn();
  return { early: check(`first “${shown}”`, shown === first), turn: await asked };
}

/** A model that writes the beginning of an answer, pauses, and writes the rest. */
function pause(
  odd: string,
  before: string,
  first: string,
  rest: string,
  said: readonly string[],
  why: string,
): FieldCase {
  return {
    odd,
    right: `“${first}” is heard in the pause`,
    why,
    async run(stage) {
      const { early, turn } = await hearFirst(
        stage,
        first,
        (wait) =>
          async function* () {
            yield before;
            await wait();
            yield rest;
          },
      );
      return both(early, saysExactly(turn, ...said));
    },
  };
}

/** A model that pauses where no sentence ends. */
function noPause(odd: string, before: string, rest: string, said: readonly string[], why: string): FieldCase {
  return {
    odd,
    right: said.map((sentence) => `“${sentence}”`).join(" "),
    why,
    async run({ server, connect }) {
      server.script.chat = async function* () {
        yield before;
        await sleep(700);
        yield rest;
      };
      return saysExactly(await (await connect()).ask("tell me"), ...said);
    },
  };
}

const volume = "self_audio_speaker_set_volume";

/** Speaking of sentences as soon as they are there. */
export const speakingCases: FieldKind = {
  title: "Speaking in time",
  cases: [
    pause("a pause behind a sentence", "I am here.", "I am here.", " And you?", ["I am here.", "And you?"], "A slow model thinks between sentences."),
    pause("a pause behind a sentence in Chinese", "你好。", "你好。", "再见。", ["你好。", "再见。"], "Nothing follows a Chinese full stop."),
    pause("a pause behind a closing quotation mark", 'He said "Go."', 'He said "Go."', " I went.", ['He said "Go."', "I went."], "The mark belongs to the sentence."),
    noPause("a pause inside a number", "It costs 3", ".50 today.", ["It costs 3.50 today."], "The number is one fact."),
    noPause("a pause behind the dot of a number", "It costs 3.", "50 today.", ["It costs 3.50 today."], "The number is one fact."),
    noPause("a pause behind a title", "I met Dr.", " Smith today.", ["I met Dr. Smith today."], "The dot is no end."),
    {
      odd: "two tokens a second, in an address and a number",
      right: "“See example.com at 3.50 today.”",
      why: "A model on a small computer has no other speed.",
      async run({ server, connect }) {
        server.script.chat = async function* () {
          for (const token of ["See", " example", ".", "com", " at", " 3", ".", "50", " today", "."]) {
            yield token;
            await sleep(500);
          }
        };
        return saysExactly(await (await connect()).ask("tell me"), "See example.com at 3.50 today.");
      },
    },
    {
      odd: "a sentence before a tool that takes 2 s",
      right: "the sentence is heard while the tool runs",
      why: "Silence sounds like a broken device.",
      quick: true,
      async run(stage) {
        // The call may come before the sentence is shown, or after it.
        let show: () => void = () => undefined;
        const isShown = new Promise<void>((resolve) => (show = resolve));
        const answer = (request: Parameters<typeof textResult>[0]) => {
          void isShown.then(() => device.send({ type: "mcp", payload: textResult(request, "true") }));
          return [];
        };
        const device = await stage.connect({ mcp: { call: answer } });
        stage.server.script.chat = ({ messages }) =>
          messages.at(-1)?.role === "tool" ? ["It is done."] : ["Let me take a look.", { name: volume, args: "{}" }];
        const asked = device.ask("set the volume");
        const shown = await Promise.race([device.next({ type: "tts", state: "sentence_start" }), sleep(2000)]);
        show();
        return both(check(shown ? `first “${String(shown["text"])}”` : "first nothing", shown !== undefined), saysExactly(await asked, "Let me take a look.", "It is done."));
      },
    },
    {
      odd: "words without a full stop before a tool",
      right: "they are heard too",
      why: "Models write “Let me check” and call.",
      async run({ server, connect }) {
        server.script.chat = ({ messages }) =>
          messages.at(-1)?.role === "tool" ? ["It is done."] : ["Let me check", { name: volume, args: "{}" }];
        return saysExactly(await (await connect({ mcp: {} })).ask("set the volume"), "Let me check", "It is done.");
      },
    },
    {
      odd: "one letter every 60 ms",
      right: "whole sentences",
      why: "A small computer writes so.",
      async run({ server, connect }) {
        server.script.chat = async function* () {
          for (const letter of "I am slow. Are you?") {
            yield letter;
            await sleep(60);
          }
        };
        return saysExactly(await (await connect()).ask("tell me"), "I am slow.", "Are you?");
      },
    },
    {
      odd: "600 words without a full stop",
      right: "they are spoken in parts, and all of them",
      why: "Small models forget punctuation.",
      async run({ server, connect }) {
        const words = Array.from({ length: 600 }, (_, i) => `word${i}`);
        server.script.chat = () => words.map((word) => `${word} `);
        const turn = await (await connect()).ask("tell me");
        const isWhole = turn.said.join(" ") === words.join(" ");
        return check(`${turn.said.length} parts${isWhole ? "" : ", words missing"}`, isWhole && turn.said.length > 3);
      },
    },
    {
      odd: "5,000 characters without a blank",
      right: "they are shown in parts, and the device goes on",
      why: "Small models repeat a letter without an end.",
      async run({ server, connect }) {
        server.script.chat = () => Array.from({ length: 50 }, () => "a".repeat(100));
        const device = await connect();
        const turn = await device.ask("tell me");
        server.script.chat = () => ["Fine."];
        const isWhole = turn.said.join("") === "a".repeat(5000);
        return both(check(`${turn.said.length} parts`, isWhole && turn.said.length > 3), saysExactly(await device.ask("and now"), "Fine."));
      },
    },
  ],
}; // prettier-ignore
