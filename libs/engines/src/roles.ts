/** The roles of engines: speech to text, text to answer, answer to speech. */
export const engineRoles = ["asr", "llm", "tts"] as const;
export type EngineRole = (typeof engineRoles)[number];

/** The kinds of engines by role. Each program has one engine of each kind, by the name of the kind. */
export const engineKinds = {
  asr: ["embedded", "openai"],
  llm: ["embedded", "openai"],
  tts: ["embedded", "espeak", "openai"],
} as const satisfies Readonly<Record<EngineRole, readonly string[]>>;

/** The engine in a profile that leaves the turns of its devices to another program. */
export const noEngine = "none";
