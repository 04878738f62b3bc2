/** The kinds of frame that a device sends and receives. */
export const kinds = ["text", "audio", "control"] as const;
export type Kind = (typeof kinds)[number];

/**
 * Every subject of the bus, as functions of ids that `parseDeviceId` or `parseName` let through; `*` gives the
 * pattern over all of them. The table with who writes and who reads is in docs/bus.md.
 */
export const subjects = {
  /** A device's frames, gateway → anyone. */
  in: (device: string, kind: Kind) => `device.${device}.in.${kind}`,
  /** `listen/start`, the control frame that one asr claims. */
  open: (device: string) => `device.${device}.in.control.open`,
  /** All that a device sends, of every kind. */
  inbound: (device: string) => `device.${device}.in.>`,
  /** Partial transcripts; core NATS only. */
  hearing: (device: string) => `device.${device}.hearing`,
  /** Final transcripts. */
  heard: (device: string) => `device.${device}.heard`,
  /** A reply's sentences after the first. */
  say: (device: string) => `device.${device}.say`,
  /** A reply's sentence 0, which one tts claims. */
  sayOpen: (device: string) => `device.${device}.say.open`,
  /** Frames for the device, anyone → gateway. */
  out: (device: string) => `device.${device}.out`,
  /** State changes and played turns, gateway → observers. */
  event: (device: string) => `device.${device}.event`,
  /** The same frame for every device. */
  fleetOut: () => "fleet.out",
  /** The same frame for every device of a group. */
  groupOut: (group: string) => `fleet.${group}.out`,
  /** Commands to one gateway. */
  command: (gateway: string) => `gateway.${gateway}.command`,
  /** Request: the frames of a session again. */
  replay: (gateway: string) => `gateway.${gateway}.replay`,
  /** Alerts, monitor → anyone. */
  alert: (severity: string) => `alert.${severity}`,
  /** A program's numbers about itself, every process → anyone. */
  stats: (program: string) => `stats.${program}`,
  /** What the stream TURNS stored, republished: whoever must not act twice follows this one. */
  stored: (subject: string) => `stored.${subject}`,
} as const;

/** The device id in a `device.<id>.…` or `stored.device.<id>.…` subject, or undefined. */
export function deviceOfSubject(subject: string): string | undefined {
  const tokens = subject.split(".");
  const at = tokens[0] === "stored" ? 1 : 0;
  return tokens[at] === "device" && tokens.length > at + 2 ? tokens[at + 1] : undefined;
}
