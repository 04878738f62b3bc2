/** A call that the model makes, the text that it is told, and that of the history if it differs. */
export interface Made {
  readonly name: string;
  readonly args?: object;
  readonly result: string;
  readonly kept?: string;
  /** The tool's own name, of a device's tool. */
  readonly tool?: string;
  /** False for a call that no tool got. */
  readonly isKept?: boolean;
}

/** One answer of the model: words, calls, or its failure. */
export interface Round {
  readonly says?: string;
  readonly calls?: readonly Made[];
  readonly fails?: true;
}

/** One turn of the conversation, and what the history has of it. */
export interface Turn {
  readonly user: string;
  readonly rounds: readonly Round[];
  /** The text of the assistant in the history. Default: the words of all rounds. */
  readonly remembered?: string;
  /** The user interrupts: while the model or a tool works, or after the first sentence. */
  readonly interrupt?: "model" | "tool" | "speech";
  /** Runs before the turn. */
  readonly before?: () => unknown;
  /** Runs after an interruption. */
  readonly after?: () => unknown;
  /** The tools of programs that are offered from this turn on. */
  readonly offered?: readonly string[];
  readonly language?: string;
}

const deviceLamp = (on: boolean, result: string): Made => {
  return { name: "self_lamp_set", tool: "self.lamp.set", args: { on }, result };
};
const weather = (where: string): Made => ({ name: "weather", args: { city: where }, result: `Sunny in ${where}.` });
const note = (name: string): Made => {
  return { name: "notes_read", args: { name }, result: `Note ${name}: buy milk.` };
};
const closed = "Error: the turn has ended";

const firstTurns: readonly Turn[] = [
  { user: "hello", rounds: [{ says: "Hello there." }] },
  { user: "lamp on", rounds: [{ calls: [deviceLamp(true, "true")] }, { says: "It is on." }] },
  { user: "weather in Rome", rounds: [{ calls: [weather("Rome")] }, { says: "Rome is sunny." }] },
  { user: "read my note", rounds: [{ calls: [note("a")] }, { says: "Buy milk." }] },
  {
    user: "all at once",
    rounds: [{ calls: [deviceLamp(false, "false"), weather("Oslo"), note("b")] }, { says: "All done." }],
  },
  {
    user: "lamp in the attic",
    rounds: [
      {
        calls: [
          { name: "lamp", args: { room: "attic" }, result: "Error: the tool refused: there is no lamp in the attic" },
        ],
      },
      { says: "I found no lamp there." },
    ],
  },
  {
    user: "break it",
    rounds: [{ calls: [{ name: "broken", result: 'Error: the tool "broken" failed' }] }, { says: "It failed." }],
  },
  {
    user: "weather, badly asked",
    rounds: [
      {
        calls: [
          {
            name: "weather",
            args: { town: "Rome" },
            result: "Error: the arguments do not fit: they must have required property 'city'",
          },
        ],
      },
      { calls: [weather("Rome")] },
      { says: "Now I know." },
    ],
  },
  {
    user: "use a tool that is not there",
    rounds: [
      { calls: [{ name: "teleport", result: 'Error: there is no function "teleport".', isKept: false }] },
      { says: "I cannot." },
    ],
  },
  {
    user: "some of it fails",
    rounds: [
      {
        calls: [
          weather("Bern"),
          { name: "notes_write", result: "Error: the tool refused: the notes are read-only" },
          { name: "self_battery", tool: "self.battery", result: "80 %" },
        ],
      },
      { says: "Partly done." },
    ],
  },
];

const laterTurns = (home: HomeProgram): readonly Turn[] => [
  {
    user: "tell a story",
    rounds: [{ says: "Once upon a time. There was a king. He lived long." }],
    interrupt: "speech",
    remembered: "Once upon a time. [interrupted]",
  },
  {
    user: "do the slow thing",
    rounds: [{ calls: [{ name: "slow", result: "", kept: closed }] }],
    interrupt: "tool",
    remembered: "[interrupted]",
  },
  {
    user: "order a pizza",
    rounds: [{ calls: [{ name: "order", result: "", kept: "The pizza is ordered." }] }],
    interrupt: "tool",
    remembered: "[interrupted]",
    after: () => home.finishOrder(),
  },
  { user: "did you order", rounds: [{ says: "Yes, I did." }] },
  { user: "think about it", rounds: [{}], interrupt: "model", remembered: "[interrupted]" },
  {
    user: "are you there",
    rounds: [{ says: "That is easy. But", fails: true }],
    remembered: "That is easy. But [no answer]",
  },
  { user: "and now", rounds: [{ fails: true }], remembered: "[no answer]" },
  {
    user: "look, then tell",
    rounds: [{ says: "Let me see.", calls: [weather("Paris")] }, { says: "Paris is sunny." }],
  },
  {
    user: "one after the other",
    rounds: [
      { calls: [note("c")] },
      { calls: [weather("Graz")] },
      { calls: [deviceLamp(true, "true")] },
      { says: "Three things." },
    ],
  },
  {
    user: "open the door",
    rounds: [
      {
        calls: [{ name: "self_door_open", tool: "self.door.open", result: "Error: the device refused: it is locked" }],
      },
      { says: "It is locked." },
    ],
  },
  {
    user: "read the book",
    rounds: [{ calls: [{ name: "book", result: "b".repeat(2000), kept: "b".repeat(1024) }] }, { says: "It is long." }],
  },
  {
    user: "lamp in the hall",
    rounds: [{ calls: [{ name: "lamp", args: { room: "hall" }, result: "done" }] }, { says: "Done." }],
  },
  { user: "你好", rounds: [{ says: "你好！" }], language: "zh-CN" },
  {
    user: "twice the same",
    rounds: [{ calls: [note("d"), note("d")] }, { says: "Twice." }],
  },
];

const lastTurns = (home: HomeProgram): readonly Turn[] => [
  {
    user: "the program was updated",
    before: () => home.update(),
    offered: ["book", "broken", "lamp", "notes_read", "notes_write", "order", "radio", "slow", "weather"],
    rounds: [{ calls: [{ name: "radio", result: "It plays." }] }, { says: "Music." }],
  },
  {
    user: "the program is gone",
    before: () => home.stop(),
    offered: ["notes_read", "notes_write"],
    rounds: [
      {
        calls: [
          { name: "weather", args: { city: "Rome" }, result: 'Error: there is no function "weather".', isKept: false },
        ],
      },
      { says: "I no longer know." },
    ],
  },
  { user: "but the notes are there", rounds: [{ calls: [note("e")] }, { says: "Buy milk." }] },
  {
    user: "and the battery",
    rounds: [{ calls: [{ name: "self_battery", tool: "self.battery", result: "80 %" }] }, { says: "Full enough." }],
  },
  {
    user: "another story",
    rounds: [{ says: "It was dark. It was cold." }],
    interrupt: "speech",
    remembered: "It was dark. [interrupted]",
  },
  { user: "goodbye", rounds: [{ says: "Goodbye." }] },
];

/** The actions of the program that offers tools, between turns. */
export interface HomeProgram {
  /** Starts again in a new version, with the tool `radio`. */
  update(): Promise<void>;
  stop(): Promise<void>;
  /** Lets the order come to its end. */
  finishOrder(): void;
}

/** Creates the thirty turns of a conversation. */
export function createTurns(home: HomeProgram): readonly Turn[] {
  return [...firstTurns, ...laterTurns(home), ...lastTurns(home)];
}
