import type { Profile, SessionState, TurnOutcome } from "@voxbus/protocol";
import type { TurnStep } from "./turn-steps.ts";
import { systemInEnglish } from "./system-words-en.ts";

type Simple = string | number | boolean | readonly unknown[];

/** The name of a field of a profile. A dot leads into an object, as in `engines.asr`. */
export type ProfileFieldName = {
  [Name in keyof Profile]-?: NonNullable<Profile[Name]> extends Simple
    ? Name
    : `${Name}.${keyof NonNullable<Profile[Name]> & string}`;
}[keyof Profile];

/** Labels of a profile's fields. A field without a label is shown with the description in its schema. */
const profileFields: Partial<Record<ProfileFieldName, string>> = {
  language: "Language",
  voice: "Voice",
  "engines.asr": "Recognizer",
  "engines.tts": "Synthesizer",
  "engines.llm": "Language model",
  prompt: "Instructions for the model",
  timeZone: "Time zone",
  wakeWords: "Wake words, one per line",
  group: "Group",
  lead: "Frames sent ahead",
  startGapMs: "Gap before the first sound (ms)",
  deadlineMs: "Reply deadline (ms)",
  dryMs: "Longest gap in a reply (ms)",
  pauseMs: "Pause that ends speech (ms)",
  wholePauseMs: "… after a whole command",
  begunPauseMs: "… after the beginning of one",
  silenceMs: "Goodbye after silence (ms)",
  farewell: "Goodbye",
};

const steps: Record<TurnStep, string> = {
  speech: "speech",
  recognition: "recognition",
  thinking: "thinking",
  synthesis: "synthesis",
  playback: "playback",
};

const sessionStates: Record<SessionState, string> = {
  active: "active",
  idle: "idle",
  suspicious: "suspicious",
  closed: "closed",
};

const outcomes: Record<TurnOutcome, string> = {
  played: "played",
  "nothing-heard": "nothing heard",
  "nothing-to-say": "nothing to say",
  failed: "failed",
  deadline: "failed, no answer in time",
  dry: "failed, answer broke off",
  shed: "not answered, too much work",
  fenced: "interrupted",
  superseded: "answered with a later one",
  closed: "device left",
};

/** The page's words in English. Every other language has the same keys. */
export const english = {
  nav: { talk: "Talk", fleet: "Fleet", system: "System", label: "Pages", skip: "Skip to content" },
  look: { theme: "Theme", auto: "auto", light: "light", dark: "dark", language: "Language" },
  link: { live: "live", lost: "connecting" },
  token: {
    title: "This monitor requires a token",
    text: "Enter the value of VOXBUS_MONITOR_TOKEN. It is kept in this tab only, and forgotten when you close it.",
    label: "Operator token",
    send: "Use token",
    wrong: "The token was refused.",
  },
  steps,
  talk: {
    title: "Talk",
    lead: "Your browser is a voice device. Press the button and ask something.",
    start: "Talk",
    pause: "Pause microphone",
    stop: "Stop",
    connecting: "Connecting",
    phases: {
      off: "Ready when you are",
      connecting: "Connecting to a gateway",
      ready: "Ready when you are",
      listening: "Listening",
      thinking: "Thinking",
      speaking: "Speaking",
    },
    typeLabel: "Or type a question",
    typeHint: "Type a question",
    send: "Ask",
    interrupt: "Let me interrupt by speaking",
    interruptHint: "with headphones",
    examples: "Examples",
    unsent: "Your question was not sent. It is kept below: try again.",
    log: "This conversation",
    empty: "Your questions and the answers appear here, with the time that each step took.",
    unheard: "(nothing understood)",
    announcement: "Announcement",
    stopped: "stopped",
    noSound:
      "Answers appear as text only. To decode Opus, this browser needs WebCodecs and a secure page (https or localhost).",
    missing: (names: string) =>
      `Not running: ${names}. There is no answer without them. npm start starts every program.`,
    embedded:
      "No language model is connected. The built-in assistant answers a short list of phrases. To connect a model, set VOXBUS_LLM_ENGINE=openai.",
    lampOn: "The lamp is on",
    wait: (ms: string) => `first sound after ${ms}`,
    stepTexts: {
      recognition: "asr detects the end of your speech and turns it into text",
      thinking: "dialogue writes the answer, sentence by sentence",
      synthesis: "tts makes the first sound of the answer",
      playback: "the gateway sends the answer to your device, packet by packet and on time",
    },
    device: "Device id of this browser",
    rtt: (ms: string) => `round trip ${ms}`,
    face: (emotion: string) => `Face: ${emotion}`,
  },
  talkErrors: {
    insecure:
      "Browsers allow the microphone only on https pages and on localhost. Open this page as http://localhost, or put TLS in front of it. You can still type questions.",
    "no-microphone": "No microphone was found. Plug one in and try again, or type your question.",
    "microphone-denied":
      "This page may not use the microphone. Allow it in the browser's address bar and try again, or type your question.",
    "microphone-busy": "Another program is using the microphone. Close it and try again, or type your question.",
    "no-encoder":
      "This browser cannot encode Opus with WebCodecs. A current Chrome, Edge or Firefox can. You can still type questions.",
    "no-decoder": "This browser cannot decode Opus with WebCodecs. Answers appear as text.",
    "no-gateway":
      "No gateway can be reached from this browser. Check that one is running and that its port is open to you.",
    refused:
      "The gateway refused this page. It may require a token, which VOXBUS_OTA_ALLOW hands out, or VOXBUS_ORIGINS may lack this page's origin.",
    lost: "The connection to the gateway was lost. This page tries to connect again.",
    "stayed-lost": "The connection to the gateway was lost, and no gateway can be reached.",
    replaced: "Another tab of this browser is the device now.",
  },
  fleet: {
    title: "Fleet",
    search: "Search devices",
    searchHint: "Id, address or gateway",
    state: "State",
    gateway: "Gateway",
    all: "all",
    device: "Device",
    since: "Online for",
    rtt: "RTT",
    last: "Last turn",
    thought: "Thinking",
    sound: "First sound",
    count: (shown: string, all: string) => (shown === all ? `${all} online` : `${shown} of ${all} online`),
    noMatch: "No device matches.",
    empty: "No device is online. Open Talk, and this browser is the first.",
    states: sessionStates,
    never: "none known",
    sort: (column: string) => `Sort by ${column}`,
  },
  device: {
    back: "Fleet",
    offline: "offline",
    unknown: "This device is not online. You can still change its profile.",
    session: "Session",
    remote: "Address",
    timeline: "Turns",
    noTurns: "No turns since this monitor started. They appear here as they happen.",
    announcement: "announcement",
    sentences: (count: number) => (count === 1 ? "1 sentence" : `${count} sentences`),
    trace: "trace",
    running: "in progress",
    outcomes,
    packets: {
      fenced: (count: string) => `${count} packets cut off`,
      dropped: (count: string) => `${count} packets dropped`,
      late: (count: string) => `${count} packets late`,
    },
    hidden: "Transcripts are hidden. Set VOXBUS_MONITOR_TRANSCRIPTS=1 to show them.",
    activity: "Events since this page opened",
    noActivity: "None so far. Earlier ones are not kept.",
    activities: {
      opened: "connected",
      closed: "disconnected",
      listen: "listens",
      stop: "stops listening",
      wake: "wake word",
      abort: "interrupts",
      gap: "audio lost",
      goodbye: "says goodbye",
      state: "is now",
    } as Record<string, string>,
    modes: { auto: "until silence", manual: "while a button is pressed", realtime: "all the time" } as Record<
      string,
      string
    >,
    say: "Announcement",
    sayLabel: "Text to speak once the device is silent",
    saySend: "Announce",
    saySent: "Sent.",
    disconnect: "Disconnect",
    disconnectAsk: "Close this device's session? The device may connect again.",
    disconnected: "The gateway was told to close the session.",
    cancel: "Cancel",
    confirm: "Close session",
    profile: "Profile",
    profileText: "Changes apply from the next turn. Empty fields use the fleet's defaults.",
    save: "Save",
    saved: "Saved.",
    conflict:
      "The profile was changed elsewhere in the meantime. The form now shows that version. Your changes were not saved.",
    revision: (revision: number) => (revision === 0 ? "no profile of its own" : `revision ${revision}`),
    fields: profileFields,
  },
  system: systemInEnglish,
  error: {
    unreachable: "The monitor cannot be reached.",
    failed: "Failed",
  },
};

/** The shape of every dictionary. */
export type Words = typeof english;
