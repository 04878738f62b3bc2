import type { ListenMode } from "@voxbus/protocol";

/** The state of a device, as in stock firmware. It plays audio only while it is speaking. */
export type DeviceState = "idle" | "connecting" | "listening" | "speaking";

/** Something that the user does. `button` toggles between talking and not; `press` and `release` are for push to talk. */
export type UserAction = "button" | "press" | "release" | "wake";

/** Something that happens to a device: an action of its user, or an event of its connection or its loudspeaker. */
export type FirmwareEvent = UserAction | "connected" | "closed" | "tts/start" | "tts/stop" | "drained";

/** The reaction of a device, in order: a message that it sends, or a change of its connection or its loudspeaker. */
export type Reaction =
  | "connect"
  | "disconnect"
  /** `listen` `start` in the present mode. */
  | "listen/start"
  | "listen/stop"
  | "abort"
  /** An abort with the reason `wake_word_detected`. */
  | "abort/wake"
  /** The audio of the wake word and `listen` `detect`, where the device is built so. */
  | "detect"
  /** Throws away what waits in the decoder. */
  | "clear"
  /** Tells when the loudspeaker has played what came before. */
  | "drain";

/** A device between two events. */
export interface Firmware {
  readonly state: DeviceState;
  /** The mode of the newest listen. */
  readonly mode: ListenMode;
  readonly hasMicrophone: boolean;
  readonly isConnected: boolean;
  /** The action that waits for the connection. */
  readonly waiting?: UserAction | undefined;
}

/** A device after an event, and its reactions. */
export interface Step {
  readonly device: Firmware;
  readonly reactions: readonly Reaction[];
}

/** Properties with which a device is built. */
export interface Build {
  /** The mode of a listen that the button or a wake word starts. Echo cancelling makes it `realtime`. */
  readonly toggleMode: "auto" | "realtime";
  /** False for clients that become idle after each answer, whatever the mode. */
  readonly relistens: boolean;
}

type Turn = (device: Firmware, build: Build) => readonly [state: DeviceState, ...reactions: Reaction[]];

const begin: Turn = () => ["listening", "listen/start"];
const speak: Turn = () => ["speaking", "clear"];
const stay: Turn = ({ state }) => [state];

/** The transitions of stock firmware 2.4 on WebSocket. An event without a row changes nothing. */
const transitions: Readonly<Record<DeviceState, Partial<Record<FirmwareEvent, Turn>>>> = {
  idle: {
    button: begin,
    press: begin,
    wake: () => ["listening", "detect", "listen/start"],
    "tts/start": speak,
  },
  connecting: {},
  listening: {
    button: () => ["idle", "disconnect"],
    release: ({ mode }) => (mode === "manual" ? ["idle", "listen/stop"] : ["listening"]),
    wake: () => ["listening", "abort/wake", "listen/start"],
    "tts/start": speak,
  },
  speaking: {
    // The device goes on speaking until `tts` `stop` comes.
    button: () => ["speaking", "abort"],
    press: () => ["listening", "abort", "listen/start"],
    wake: () => ["listening", "abort/wake", "listen/start"],
    "tts/start": speak,
    "tts/stop": (device, { relistens }) => {
      if (device.hasMicrophone) return ["listening"];
      return device.mode !== "manual" && relistens ? ["speaking", "drain"] : ["idle"];
    },
    drained: begin,
  },
};

/** Returns a device that has just started. */
export function startFirmware(mode: ListenMode): Firmware {
  return { state: "idle", mode, hasMicrophone: false, isConnected: false };
}

const begins: readonly FirmwareEvent[] = ["button", "press", "wake"];

/** Returns the device after an event. Pure: the caller carries the reactions out. */
export function step(device: Firmware, event: FirmwareEvent, build: Build): Step {
  const silent = { ...device, state: "idle", hasMicrophone: false, waiting: undefined } as const;
  if (event === "closed") return { device: { ...silent, isConnected: false }, reactions: [] };
  if (event === "connected") {
    const connected = { ...silent, isConnected: true };
    return device.waiting ? step(connected, device.waiting, build) : { device: connected, reactions: [] };
  }
  if (!device.isConnected) {
    const isBegun = device.state === "idle" && begins.includes(event);
    if (!isBegun) return { device, reactions: [] };
    return { device: { ...device, state: "connecting", waiting: event as UserAction }, reactions: ["connect"] };
  }
  const [state, ...reactions] = (transitions[device.state][event] ?? stay)(device, build);
  const isAsked = begins.includes(event) && reactions.includes("listen/start");
  const mode = isAsked ? (event === "press" ? "manual" : build.toggleMode) : device.mode;
  // In realtime mode the microphone stays on while the device speaks.
  const hasMicrophone = state === "listening" || (state === "speaking" && mode === "realtime" && device.hasMicrophone);
  return { device: { ...device, state, mode, hasMicrophone }, reactions };
}
