import { setTimeout as sleep } from "node:timers/promises";
import type { Profile } from "@voxbus/protocol";
import { createTone, encodeSpeech, silence, type ChatEvent, type ChatRequest } from "@voxbus/testing";
import { writeWav } from "@voxbus/audio";
import type { FieldDevice, FieldDeviceOptions } from "./device.ts";
import type { FieldKind } from "./field-case.ts";
import { textResult, volumeTool } from "./mcp.ts";
import { both, check, hears, plays, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const moment = "One moment please.";
const longTone = writeWav({ sampleRate: 24_000, samples: createTone(24_000, 600) });
let devices = 0;

/** Connects a device whose gateway gives a turn up after 3 s, the shortest time. So a wait need not be as long as others. */
async function connectImpatient(
  { setProfile, connect }: Stage,
  profile: Partial<Profile> = {},
  options?: FieldDeviceOptions,
): Promise<FieldDevice> {
  const id = `slow-${(devices += 1)}`;
  await setProfile(id, { deadlineMs: 3000, dryMs: 3000, ...profile });
  return connect({ id, ...options });
}

/** Connects a device whose tool takes `ms` for each call. */
async function connectSlowTool(stage: Stage, ms: number): Promise<FieldDevice> {
  const device: FieldDevice = await connectImpatient(
    stage,
    {},
    {
      mcp: {
        call(request) {
          const payload = textResult(request, "true");
          void sleep(ms).then(() => device.send({ type: "mcp", payload }));
          return [];
        },
      },
    },
  );
  return device;
}

const call: ChatEvent = { name: volumeTool.name.replaceAll(".", "_"), args: '{"volume":50}' };
/** Calls the device's tool `rounds` times, `text` and a pause before each call, and then says "Done.". */
function callTool(rounds: number, { text = "", pauseMs = 0 } = {}) {
  return async function* ({ messages }: ChatRequest): AsyncGenerator<ChatEvent> {
    await sleep(pauseMs);
    const made = messages.filter(({ role }) => role === "tool").length;
    if (made === rounds) yield "Done.";
    else {
      if (text !== "") yield text;
      yield call;
    }
  };
}

async function* writeSlowly(text: string, ms: number): AsyncGenerator<string> {
  for (const word of text.split(/(?<= )/)) {
    await sleep(ms);
    yield word;
  }
}

async function* sound(...steps: readonly (Uint8Array | number)[]): AsyncGenerator<Uint8Array> {
  for (const step of steps)
    if (typeof step === "number") await sleep(step);
    else yield step;
}

const slowSentence =
  "A slow machine writes one word after the other and never stops until it has come to the end of it all.";

/** Models, tools, recognizers and voices that take long. */
export const slowCases: FieldKind = {
  title: "Slow work",
  cases: [
    {
      odd: "a model that writes 2.2 tokens a second",
      right: "its sentence is spoken to the end",
      why: "Small machines are that slow.",
      async run(stage) {
        stage.server.script.chat = () => writeSlowly(slowSentence, 455);
        return saysExactly(await (await connectImpatient(stage)).ask("how are you"), moment, slowSentence);
      },
    },
    {
      odd: "a model that pauses for 2.9 s between any two sentences",
      right: "all of them are spoken",
      why: "Models that think between sentences, and gateways that filter what they wrote.",
      async run(stage) {
        stage.server.script.chat = () => writeSlowly("One.\n Two.\n Three.", 2900);
        return saysExactly(await (await connectImpatient(stage)).ask("count"), "One.", "Two.", "Three.");
      },
    },
    {
      odd: "a model that falls silent for longer than its limit, in mid-answer",
      right: "what it said is spoken, then one apology",
      why: "Hosts that end a request without closing it.",
      async run(stage) {
        stage.server.script.chat = () => ["This is the beginning. And", { end: "hang" }];
        const turn = await (await connectImpatient(stage)).ask("how are you");
        return saysExactly(turn, "This is the beginning.", "And", "I am sorry, I lost my thread.");
      },
    },
    {
      odd: "a tool that takes 7 s behind a sentence",
      right: "its result is spoken",
      why: "Cameras and locks take that long.",
      async run(stage) {
        stage.server.script.chat = callTool(1, { text: "Let me see." });
        const device = await connectSlowTool(stage, 7000);
        return saysExactly(await device.ask("look"), "Let me see.", "Done.");
      },
    },
    {
      odd: "a tool that takes 17 s in silence",
      right: "the device is told once that it takes long, and then the result",
      why: "30 s are documented.",
      async run(stage) {
        stage.server.script.chat = callTool(1);
        return saysExactly(await (await connectSlowTool(stage, 17_000)).ask("look"), moment, "Done.");
      },
    },
    {
      odd: "a model that thinks for 2 s before each of three calls of a tool that takes 2 s",
      right: "the answer is spoken, and no call is made twice",
      why: "Each wait is within its limit, only their sum is long.",
      async run(stage) {
        stage.server.script.chat = callTool(3, { pauseMs: 2000 });
        const device = await connectSlowTool(stage, 2000);
        const turn = await device.ask("look");
        return both(
          saysExactly(turn, moment, "Done."),
          check(`${device.calls.length} calls`, device.calls.length === 3),
        );
      },
    },
    {
      odd: "a turn that takes long, in Chinese",
      right: "the device is told so in Chinese",
      why: "An English sentence in a Chinese room is of no help.",
      async run(stage) {
        await stage.restart("dialogue", { VOXBUS_LLM_FIRST_TOKEN_MS: "10000" });
        stage.server.script.chat = () => writeSlowly("很好。", 6000);
        const turn = await (await connectImpatient(stage, { language: "zh-CN" })).ask("你好吗");
        return saysExactly(turn, "请稍等。", "很好。");
      },
    },
    {
      odd: "a turn that takes long, asked about in the next turn",
      right: "the model does not read that it had asked for patience",
      why: "Models repeat what they seem to have said.",
      async run(stage) {
        stage.server.script.chat = callTool(1);
        const device = await connectSlowTool(stage, 6000);
        await device.ask("look");
        stage.server.script.chat = ({ messages }) => [
          messages.some(({ content }) => content?.includes(moment)) ? "It is there." : "It is not there.",
        ];
        return saysExactly(await device.ask("and now"), "It is not there.");
      },
    },
    {
      odd: "a speech server whose first byte takes 4.5 s",
      right: "its voice is heard",
      why: "Large voices on small machines.",
      quick: true,
      async run(stage) {
        stage.server.script.speak = () => sound(4500, longTone);
        return plays(await (await connectImpatient(stage)).ask("how are you"), 600);
      },
    },
    {
      odd: "a speech server that sends a header at once, and the sound 4.5 s later",
      right: "its voice is heard",
      why: "Servers that stream write the header before they have a sound.",
      async run(stage) {
        stage.server.script.speak = () => sound(longTone.subarray(0, 44), 4500, longTone.subarray(44));
        return plays(await (await connectImpatient(stage)).ask("how are you"), 600);
      },
    },
    {
      odd: "a speech server that pauses for 4.5 s in mid-sentence",
      right: "the rest is heard, too",
      why: "A server that speaks for others meanwhile.",
      async run(stage) {
        stage.server.script.speak = () => sound(longTone.subarray(0, 10_000), 4500, longTone.subarray(10_000));
        const turn = await (await connectImpatient(stage)).ask("how are you");
        return check(`${turn.packets.length} packets`, turn.packets.length === 10);
      },
    },
    {
      odd: "a recognizer that takes 8 s",
      right: "the question is heard and answered",
      why: "Whisper without a graphics card.",
      async run(stage) {
        stage.server.script.transcribe = () => sleep(8000, "Hello there.");
        const turn = await (await connectImpatient(stage)).speak();
        return both(hears(turn, "Hello there."), saysExactly(turn, "Fine."));
      },
    },
    {
      odd: "a recognizer that takes 1 s and hears five at a time, and 20 devices that release their button at once",
      right: "each question is heard and answered",
      why: "A recognizer with few slots.",
      async run(stage) {
        await stage.restart("asr", { VOXBUS_ASR_REQUESTS: "5" });
        stage.server.script.transcribe = () => sleep(1000, "Hello there.");
        const all = await Promise.all(Array.from({ length: 20 }, () => connectImpatient(stage)));
        const turns = await Promise.all(all.map((device) => device.speak()));
        const heard = turns.filter((turn) => turn.heard === "Hello there." && turn.said.join() === "Fine.").length;
        return check(`${heard} of 20 were answered`, heard === 20);
      },
    },
    ...(["auto", "realtime"] as const).map((mode) => ({
      odd: `a listen in ${mode} mode that is stopped before anybody spoke`,
      right: "silence",
      why: "Touched by accident. An apology for nothing is a nuisance.",
      quick: mode === "auto",
      async run(stage: Stage) {
        const device = await connectImpatient(stage);
        device.send({ type: "listen", state: "start", mode });
        for (const packet of encodeSpeech(silence(900))) device.send(packet);
        device.send({ type: "listen", state: "stop" });
        const turn = await device.turnWithin(4500);
        return check(turn ? `said “${turn.said.join(" ")}”, ${turn.packets.length} packets` : "silence", !turn);
      },
    })),
    {
      odd: "an abort while a tool takes long",
      right: "silence at once, and for good",
      why: "The user has lost patience.",
      async run(stage) {
        stage.server.script.chat = callTool(1);
        const device = await connectSlowTool(stage, 3000);
        device.send({ type: "listen", state: "detect", text: "look" });
        await device.next({ type: "tts", state: "start" });
        await sleep(1000);
        device.send({ type: "abort" });
        const cut = await device.turn();
        const later = await device.turnWithin(5000);
        return check(
          later ? "spoke again" : `${cut.packets.length} packets, then silence`,
          !later && cut.said.length === 0,
        );
      },
    },
    ...(["dialogue", "tts"] as const).map((program) => ({
      odd: `kill -9 of ${program} while it waits for its server`,
      right: "another one takes the turn over",
      why: "Signs of life must end with the life.",
      async run(stage: Stage) {
        const device = await connectImpatient(stage, { deadlineMs: 8000, dryMs: 8000 });
        const { script, requests } = stage.server;
        script.chat = () => writeSlowly("Fine.", program === "dialogue" ? 2500 : 0);
        script.speak = () => sound(program === "tts" ? 2500 : 0, longTone);
        const before = requests.chat.length + requests.speech.length;
        const asked = device.ask("how are you");
        const wanted = program === "tts" ? 2 : 1;
        while (requests.chat.length + requests.speech.length < before + wanted) await sleep(50);
        await stage.restart(program);
        const turn = await asked;
        return both(saysExactly(turn, "Fine."), plays(turn, 600));
      },
    })),
    ...(
      [
        ["dialogue", "VOXBUS_DIALOGUE_TOOL_MS", "VOXBUS_DIALOGUE_TURN_MS"],
        ["dialogue", "VOXBUS_LLM_FIRST_TOKEN_MS", "VOXBUS_DIALOGUE_TURN_MS"],
        ["asr", "VOXBUS_ASR_TIMEOUT_MS", "VOXBUS_ASR_TRANSCRIPT_MS"],
      ] as const
    ).map(([program, inner, outer]) => ({
      odd: `${inner} is longer than ${outer}`,
      right: "the program stops at once and names both",
      why: "One of the two limits would never apply.",
      async run({ start }: Stage) {
        const env = { [inner]: "50000", [outer]: "40000" };
        const printed = await start(program, { env }).then(
          () => "started",
          (error: Error) => error.message,
        );
        const sentence = `${outer}: must be longer than ${inner}, which is 50000 ms; it is 40000 ms`;
        return check(printed.includes(sentence) ? sentence : printed, printed.includes(sentence));
      },
    })),
  ],
};
