import type { FirmwareUpdate, SessionState, TurnOutcome } from "@voxbus/protocol";
import { characterInEnglish } from "./character-words-en.ts";
import { sayInEnglish, toolsInEnglish } from "./device-words-en.ts";
import type { TurnStep } from "./turn-steps.ts";
import { systemInEnglish } from "./system-words-en.ts";

/** Words for the states of a firmware update and the percentage that was sent. */
type UpdateWords = Record<FirmwareUpdate["state"], (percent: number) => string>;

const packetsOf = (count: string) => (count === "1" ? "1 packet" : `${count} packets`);

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
  "no-channel": "shown as text",
  fenced: "interrupted",
  superseded: "answered with a later one",
  closed: "device left",
};

/** The page's words in English. Every other language has the same keys. */
export const english = {
  nav: {
    talk: "Talk",
    fleet: "Fleet",
    character: "Character",
    system: "System",
    label: "Pages",
    skip: "Skip to content",
  },
  look: { theme: "Theme", auto: "auto", light: "light", dark: "dark", language: "Language" },
  link: { live: "live", lost: "connecting" },
  token: {
    title: "This monitor requires a token",
    text: "Enter the value of VOXBUS_MONITOR_TOKEN, or a named token. It is kept in this tab only, and forgotten when you close it.",
    label: "Operator token",
    send: "Use token",
    wrong: "The token was refused.",
  },
  scope: {
    missing: (needed: string, own: string) => `This needs a token with the scope ${needed}. Yours has ${own}.`,
    limited: (name: string, scope: string) =>
      `The token ${name} has the scope ${scope}. Buttons that need more are disabled.`,
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
      activating: "Waiting to be let in",
      ready: "Ready when you are",
      listening: "Listening",
      thinking: "Thinking",
      speaking: "Speaking",
    },
    activation: "This browser has to be let in, as every new device here. Type the code in",
    activationLink: "Fleet",
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
      "The gateway refused this page. It may require a token, which VOXBUS_ACTIVATION or VOXBUS_OTA_ALLOW hands out, or VOXBUS_ORIGINS may lack this page's origin.",
    "not-let-in": "This browser was not let in. Press Talk for a code.",
    lost: "The connection to the gateway was lost. This page tries to connect again.",
    "stayed-lost": "The connection to the gateway was lost, and no gateway can be reached.",
    replaced: "Another tab of this browser is the device now.",
    disabled: "An operator has disabled this device. The page Fleet can let it in again.",
  },
  activation: {
    title: (count: string) => `Waiting for a code: ${count}`,
    code: "Code on the device",
    letIn: "Let in",
    done: (device: string) => `${device} was let in.`,
    more: (count: string) => `and ${count} more`,
  },
  fleet: {
    title: "Fleet",
    search: "Search devices",
    searchHint: "Name, id, group, firmware",
    state: "State",
    gateway: "Gateway",
    all: "all",
    device: "Device",
    seen: "Seen",
    since: "Online for",
    group: "Group",
    firmware: "Firmware",
    rtt: "RTT",
    last: "Last turn",
    thought: "Thinking",
    sound: "First sound",
    count: (shown: string, all: string, online: string) =>
      `${shown === all ? all : `${shown} of ${all}`} ${all === "1" ? "device" : "devices"}, ${online} online`,
    noMatch: "No device matches.",
    empty: "No device is known yet. Open Talk, and this browser is the first.",
    online: "online",
    states: { ...sessionStates, offline: "offline", disabled: "disabled" },
    reachable: "reachable",
    never: "none known",
    sort: (column: string) => `Sort by ${column}`,
    ago: (age: string) => `${age} ago`,
    neverSeen: "not seen yet",
    edit: (name: string) => `Change ${name}`,
    add: "Add a device",
    importFile: "Import",
    exportFile: (kind: string) => `Export ${kind}`,
    imported: (count: string) => (count === "1" ? "1 device imported." : `${count} devices imported.`),
    name: "Name",
    note: "Note",
    allowed: "Access",
    allowances: { "": "as the gateways are configured", yes: "let in", no: "disabled" },
    board: "Board",
    firstSeen: "First seen",
    lastSeen: "Last seen",
    lastReason: "Left because",
    reasons: {
      gone: "its connection broke",
      done: "the conversation was over",
      heartbeat_timeout: "it fell silent",
      gateway_lost: "its gateway was lost",
      restart: "its gateway stopped",
      replaced: "it connected again",
      disconnected: "an operator closed its session",
      disabled: "an operator disabled it",
    } as Record<string, string>,
    remove: "Remove",
    removeAsk:
      "Remove this device with everything that is kept of it: name, profile, history, timers and alarms? This cannot be undone.",
    removeConfirm: "Remove everything",
  },
  device: {
    update: "Update",
    updateStates: {
      offered: () => "offered",
      downloading: (percent) => `${percent} % sent`,
      downloaded: () => "sent, not installed yet",
      broken: (percent) => `broke off at ${percent} %`,
    } as UpdateWords,
    back: "Fleet",
    unknown: "This device is not online. You can still change its character, and keep an announcement for it.",
    id: "Id",
    session: "Session",
    remote: "Address",
    timeline: "Turns",
    noTurns: "No turns since this monitor started. They appear here as they happen.",
    announcement: "announcement",
    sentences: (count: number) => (count === 1 ? "1 sentence" : `${count} sentences`),
    trace: "trace",
    running: "in progress",
    outcomes,
    engines: "Engines that heard, answered and spoke",
    packets: {
      fenced: (count: string) => `${packetsOf(count)} cut off`,
      dropped: (count: string) => `${packetsOf(count)} dropped`,
      late: (count: string) => `${packetsOf(count)} late`,
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
    disconnect: "Disconnect",
    disconnectAsk: "Close this device's session? The device may connect again.",
    disconnected: "The gateway was told to close the session.",
    cancel: "Cancel",
    confirm: "Close session",
  },
  say: sayInEnglish,
  tools: toolsInEnglish,
  character: characterInEnglish,
  system: systemInEnglish,
  error: {
    unreachable: "The monitor cannot be reached.",
    failed: "Failed",
  },
};

/** The shape of every dictionary. */
export type Words = typeof english;
