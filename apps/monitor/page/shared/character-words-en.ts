import type { Profile } from "@voxbus/protocol";

type Simple = string | number | boolean | readonly unknown[];

/** The name of a field of a profile. A dot leads into an object, as in `engines.asr`. */
export type ProfileFieldName = {
  [Name in keyof Profile]-?: NonNullable<Profile[Name]> extends Simple
    ? Name
    : `${Name}.${keyof NonNullable<Profile[Name]> & string}`;
}[keyof Profile];

/** Labels of a profile's fields. A field without a label is shown with the description in its schema. */
const profileFields: Partial<Record<ProfileFieldName, string>> = {
  name: "Name of the assistant",
  place: "Place of the device",
  language: "Language",
  voice: "Voice",
  "engines.asr": "Recognizer",
  "engines.tts": "Synthesizer",
  "engines.llm": "Language model",
  "model.temperature": "Temperature of the model",
  "model.topP": "Top p of the model",
  "model.maxTokens": "Longest answer (tokens)",
  prompt: "Instructions for the model",
  greeting: "Greeting",
  farewell: "Goodbye",
  timeZone: "Time zone",
  wakeWords: "Wake words, one per line",
  group: "Group",
  groups: "Further groups, one per line",
  tools: "Tools of programs that the model may call, one per line, * for any characters",
  lead: "Frames sent ahead",
  startGapMs: "Gap before the first sound (ms)",
  deadlineMs: "Reply deadline (ms)",
  dryMs: "Longest gap in a reply (ms)",
  pauseMs: "Pause that ends speech (ms)",
  wholePauseMs: "… after a whole command",
  begunPauseMs: "… after the beginning of one",
  silenceMs: "Goodbye after silence (ms)",
  transport: "Connection, from the next start on",
  notify: "Plays announcements while idle",
};

/** The words of the view "Character" and of its card in English. Every other language has the same keys. */
export const characterInEnglish = {
  title: "Character",
  lead: "Settings of the fleet apply to every device. Those of a group come before them, and those of a device before both.",
  fleet: "Fleet",
  groups: "Levels",
  group: (group: string) => `Group ${group}`,
  online: (count: string) => `${count} online`,
  open: "Group",
  openHint: "Name of a group",
  openSend: "Open",
  text: "Changes apply from the next turn. An empty field has the value of the level below.",
  more: "More settings",
  variables: (names: string) => `Variables in texts: ${names}`,
  invalid: (names: string) => `Stored fields that are not valid, and count as empty: ${names}`,
  sources: { own: "set here", device: "from the device", fleet: "from the fleet", default: "default" } as Record<
    string,
    string
  >,
  fromGroup: (group: string) => `from the group ${group}`,
  clear: "Clear",
  clearField: (field: string) => `Clear ${field}`,
  save: "Save",
  saved: "Saved.",
  conflict:
    "The profile was changed elsewhere in the meantime. The form now shows that version. Your changes were not saved.",
  revision: (revision: number) => (revision === 0 ? "nothing set here" : `revision ${revision}`),
  try: "Try",
  tryText: "The device behaves as this form says for two minutes. Nothing is saved, and no other device changes.",
  tryDevice: "Device",
  trySentence: "What it says at once",
  sample: "Hello. This is how I sound.",
  tried: (device: string, until: string) => `${device} tries this until ${until}.`,
  browser: "This browser is the device. Open Talk and ask it something.",
  end: "End the trial",
  ended: "The trial has ended.",
  fields: profileFields,
};
