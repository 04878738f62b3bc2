import type { TurnPlayed } from "@voxbus/protocol";
import { silence, encodeSpeech, type ModelScript } from "@voxbus/testing";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, hears, saysExactly } from "./outcomes.ts";
import { hearNothing, staysQuiet, watch } from "./watch.ts";

const apology = "I am sorry, I cannot answer right now.";

/** Judges how a turn ended, by the event on the bus. */
function ends({ complete, reason }: TurnPlayed, expected: string | undefined): Outcome {
  return check(`ended ${reason ?? "played"}`, complete && reason === expected);
}

/** The model has nothing that can be spoken. */
function saysNothing(chat: ModelScript["chat"], odd: string, quick = false): FieldCase {
  return {
    odd,
    right: "the device is released without a word, and the turn ends as `nothing-to-say`",
    why: "The model answered. An apology would be untrue.",
    quick,
    async run(stage) {
      stage.server.script.chat = chat;
      const { device, nextTurn } = await watch(stage);
      return both(saysExactly(await device.ask("how are you")), ends(await nextTurn(), "nothing-to-say"));
    },
  };
}

/** Something fails. */
function fails(prepare: (script: ModelScript) => void, odd: string, said: readonly string[], quick = false): FieldCase {
  return {
    odd,
    right: "one apology, and the turn ends as `failed`",
    why: "Silence would leave the user waiting, and “played” would hide the failure from operators.",
    quick,
    async run(stage) {
      const { device, nextTurn } = await watch(stage);
      prepare(stage.server.script);
      return both(saysExactly(await device.speak(), ...said), ends(await nextTurn(), "failed"));
    },
  };
}

async function* write(...pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
}

/** Nothing heard, nothing to say, could not: three outcomes that are told apart. */
export const outcomeCases: FieldKind = {
  title: "Outcomes",
  cases: [
    {
      odd: "a recognizer that gives an empty transcript",
      right: "the device goes back to waiting, and the listen is counted as `nothing-heard`",
      why: "An apology after each noise makes people unplug the device.",
      quick: true,
      run: (stage) => hearNothing(stage, ""),
    },
    {
      odd: "a button that is pressed and released without a word",
      right: "the device goes back to waiting, and the listen is counted as `nothing-heard`",
      why: "People press buttons by accident.",
      async run(stage) {
        const { device, nextHeard } = await watch(stage);
        device.send({ type: "listen", state: "start", mode: "manual" });
        encodeSpeech(silence(600)).forEach((packet) => device.send(packet));
        device.send({ type: "listen", state: "stop" });
        const { reason } = await nextHeard();
        return both(check(`heard: ${reason}`, reason === "nothing-heard"), await staysQuiet(device));
      },
    },
    {
      odd: "a cough while the answer to a question is being thought",
      right: "the question is answered",
      why: "A transcript without words must not take the place of a question.",
      quick: true,
      async run(stage) {
        let goOn: () => void = () => undefined;
        const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
        stage.server.script.chat = async function* () {
          await mayGoOn;
          yield "Whales sing.";
        };
        stage.server.script.transcribe = () => "(coughs)";
        const { device, nextHeard } = await watch(stage);
        device.send({ type: "listen", state: "start", mode: "realtime" });
        const answer = device.ask("what do whales do");
        await device.next({ type: "tts", state: "start" });
        encodeSpeech(silence(600)).forEach((packet) => device.send(packet));
        device.sendSpeech("time");
        encodeSpeech(silence(1200)).forEach((packet) => device.send(packet));
        const { reason } = await nextHeard();
        goOn();
        return both(check(`heard: ${reason}`, reason === "nothing-heard"), saysExactly(await answer, "Whales sing."));
      },
    },
    {
      odd: "a device whose profile names the built-in recognizer, while another one is configured",
      right: "its words are heard by the built-in one, and those of the others are not",
      why: "`engines.asr` is a setting of a profile like `engines.tts`.",
      quick: true,
      async run(stage) {
        const { device } = await watch(stage, { id: "own-recognizer" });
        await stage.setProfile("own-recognizer", { engines: { asr: "embedded" } });
        const other = await stage.connect();
        return both(
          hears(await device.speak("time"), "what time is it"),
          hears(await other.speak("time"), "Hello there."),
        );
      },
    },
    saysNothing(() => write("😊"), "a model that answers with an emoji alone", true),
    saysNothing(() => write("<think>Nothing to add.</think>"), "a model that only thinks"),
    saysNothing(() => write(""), "a model that answers with an empty text"),
    saysNothing(() => write("\n \n"), "a model that answers with blanks"),
    saysNothing(() => write("```json\n{}\n```"), "a model that answers with code alone"),
    saysNothing(() => write("..."), "a model that answers with an ellipsis"),
    {
      odd: "a model that runs a tool and then says nothing",
      right: "the tool has run, and the device is released without a word",
      why: "Small models end so after a command. The lamp is on: that is the answer.",
      async run(stage) {
        let round = 0;
        stage.server.script.chat = async function* () {
          if ((round += 1) > 1) return;
          yield { name: "self_audio_speaker_set_volume", args: '{"volume":5}' };
        };
        const device = await stage.connect({ mcp: {} });
        const turn = await device.ask("set the volume to five");
        return both(saysExactly(turn), check(`${device.calls.length} call`, device.calls.length === 1));
      },
    },
    fails((script) => (script.transcribe = () => 500), "a recognizer that fails", [apology], true),
    fails((script) => (script.chat = () => 500), "a model that fails", [apology], true),
    fails((script) => (script.chat = () => ({ end: "drop" })), "a model that hangs up", [apology]),
    fails(
      (script) =>
        (script.chat = async function* () {
          yield "Whales sing. ";
          throw new Error("gone");
        }),
      "a model that breaks off",
      ["Whales sing.", "I am sorry, I lost my thread."],
    ),
  ],
};
