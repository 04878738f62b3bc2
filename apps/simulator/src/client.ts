import type { ListenMode } from "@voxbus/protocol";
import type { Connection, Identity, Received } from "./connection.ts";
import type { DeviceTools, JsonObject } from "./device-tools.ts";
import type { DeviceState, UserAction } from "./firmware.ts";
import type { HelloAnswer } from "./hello-wait.ts";
import type { Spoken } from "./microphone.ts";
import type { Quirks } from "./quirks.ts";
import type { Silence, Utterance } from "./utterance.ts";

/** A received event, with `played` for audio, or a JSON message that the device sent. */
export type DeviceEvent =
  | Exclude<Received, { readonly got: "audio" }>
  | (Extract<Received, { readonly got: "audio" }> & { readonly played: boolean })
  | { readonly t: number; readonly sent: JsonObject };

/** The identity and the behavior of a device. */
export interface DeviceOptions {
  readonly identity: Identity;
  readonly mode: ListenMode;
  readonly silence: Silence;
  /** The MCP server of the device; without it the hello does not announce one. */
  readonly tools?: DeviceTools | undefined;
  readonly quirks?: Quirks;
  /** Called with every event, in order; `close` is the last of a connection and comes once. */
  readonly onEvent?: (event: DeviceEvent) => void;
}

/** The audio of a wake word, and the word as the device spells it. */
export interface WakeWord {
  readonly text: string;
  /** At most the last 33 packets are sent. Without audio the device sends 20 packets of a quiet room. */
  readonly audio?: Utterance | undefined;
}

/** A device of a user. Messages sent after the end of the connection are lost, as on a real one. */
export interface DeviceClient {
  readonly state: DeviceState;
  readonly isConnected: boolean;
  /** The newest connection. */
  readonly connection: Connection;
  /** Resolves with the server's hello. Rejects with a `ConnectionError` if it does not come within 10 s. */
  readonly serverHello: Promise<HelloAnswer>;
  /** Connects and says hello unless it has a conversation. Throws `ConnectionError`. */
  connect(): Promise<void>;
  sendHello(): void;
  /** Takes an action of the user. Without a connection it connects first, if the device does that. */
  act(action: Exclude<UserAction, "wake">): void;
  /** The user says the wake word. */
  wake(word: WakeWord): void;
  /** The user begins to talk: by push to talk in manual mode, by the button in the others. */
  listen(mode?: ListenMode): void;
  /** Says a recording in real time. Waits until the microphone is on, and begins to talk if the device is idle. */
  say(utterance: Utterance): Promise<Spoken>;
  /** Sends all packets at once in any state. */
  burst(utterance: Utterance): void;
  /** Sends typed text, as clients with a keyboard do. */
  type(text: string): void;
  /** Sends `abort` in any state. */
  abort(reason?: string): void;
  /** Says goodbye, as Espressif's component does before it disconnects. */
  sayGoodbye(): void;
}
