import type { Profile, SessionState } from "@voxbus/protocol";
import type { TurnStep } from "./turn-steps.ts";

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
  deadlineMs: "Reply deadline (ms)",
  dryMs: "Longest gap in a reply (ms)",
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
    lost: "The connection to the gateway was lost.",
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
    never: "none yet",
    sort: (column: string) => `Sort by ${column}`,
  },
  device: {
    back: "Fleet",
    offline: "offline",
    unknown: "This device is not online. You can still change its profile.",
    session: "Session",
    remote: "Address",
    timeline: "Turns",
    noTurns: "No turns yet. They appear here as they happen.",
    announcement: "announcement",
    sentences: (count: number) => (count === 1 ? "1 sentence" : `${count} sentences`),
    trace: "trace",
    running: "in progress",
    outcomes: { played: "played" } as Record<string, string>,
    counts: (fenced: number, dropped: number, late: number) => `${fenced} fenced, ${dropped} dropped, ${late} late`,
    hidden: "Transcripts are hidden. Set VOXBUS_MONITOR_TRANSCRIPTS=1 to show them.",
    activity: "Events",
    noActivity: "No events yet.",
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
  system: {
    title: "System",
    online: "Devices online",
    turns: "Turns per minute",
    failed: (count: string) => `${count} failed`,
    sound: "First sound, median",
    p95: (ms: string) => `95% within ${ms}`,
    noData: "No turns yet.",
    bus: "NATS",
    rtt: "round trip",
    away: "disconnected",
    programs: "Programs",
    program: "Program",
    health: "Health",
    healths: { ok: "ok", draining: "draining", lost: "lost" } as Record<string, string>,
    up: "Uptime",
    memory: "Memory",
    cpu: "CPU",
    loop: "Loop p99",
    connections: "Devices",
    speaking: "Speaking",
    latency: "Time to first sound",
    median: "median",
    ninetyFive: "95%",
    ninetyNine: "99%",
    heard: "heard",
    played: "played",
    failedLine: "failed",
    queues: "Queues",
    noQueues: "No queue is measured.",
    alerts: "Alerts",
    noAlerts: "No open alerts.",
    resolved: "resolved",
    badMessages: "Dropped messages",
    noBadMessages: "No message was dropped in the last 10 minutes.",
    subject: "Subject",
    why: "Why",
    field: "Field",
    times: "Times",
    lastTime: "Last",
    droppedBy: "Dropped by",
    reasons: {
      "bad-envelope": "does not match the bus contract",
      "newer-version": "is of a newer version",
      "handler-failed": "made the program's handler fail",
    } as Record<string, string>,
    severities: { low: "low", medium: "medium", high: "high" } as Record<string, string>,
  },
  error: {
    unreachable: "The monitor cannot be reached.",
    failed: "Failed",
  },
};

/** The shape of every dictionary. */
export type Words = typeof english;
