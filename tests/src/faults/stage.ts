import { type Channel, channels, type Outbound, Say, type TurnPlayed } from "@voxbus/protocol";
import type { Entrance } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { World } from "./world.ts";

/** A moment of a turn, as seen on the bus. */
export type Moment =
  | "typed"
  | "listening"
  | "speaking"
  | "heard"
  | "first sentence"
  | "last sentence"
  | "first sound"
  | "mid sound"
  | "last sound"
  | "played";

/** The tools of a fault. */
export interface Stage {
  readonly world: World;
  /** The way in for devices of the fault's transport. */
  readonly entrance: Entrance;
  readonly fleet: Fleet;
  /** Resolves with the next device that reaches this moment. */
  next(moment: Moment): Promise<string>;
  /** Sends a signal to processes. The first one is the beginning of the fault. */
  strike(signal: NodeJS.Signals, pids: readonly number[]): void;
  /** Begins a fault that needs no signal. */
  begin(): void;
  sleep(ms: number): Promise<void>;
  /** Reports a problem that the fault found itself. */
  complain(problem: string): void;
}

const midSound = 6;

/** Resolves with the next device of the fleet that reaches the moment. */
export function awaitMoment({ bus }: Pick<World, "bus">, moment: Moment, fleet: string): Promise<string> {
  return new Promise((resolve) => {
    const see = (fits: boolean, device: string) => {
      if (!fits || !device.startsWith(fleet)) return;
      closer.close();
      resolve(device);
    };
    const out = (fits: (frame: Outbound) => boolean) =>
      bus.subscribe(channels.out("*"), (frame, { device }) => see(fits(frame), device));
    const say = (channel: Channel<typeof Say>, fits: (say: Say) => boolean) =>
      bus.subscribe(channel, (said, { device }) => see(fits(said), device));
    const watches: Record<Moment, () => { close(): void }> = {
      typed: () => bus.subscribe(channels.inText("*"), (_, { device }) => see(true, device)),
      listening: () => bus.subscribe(channels.inControlOpen("*"), (_, { device }) => see(true, device)),
      speaking: () => out(({ kind, body }) => kind === "control" && body.type === "user-speaking" && body.on),
      heard: () => bus.subscribe(channels.heard("*"), (_, { device }) => see(true, device)),
      "first sentence": () => say(channels.sayOpen("*"), ({ origin, last }) => origin !== undefined && !last),
      "last sentence": () => say(channels.say("*"), ({ last }) => last),
      "first sound": () => out(({ kind, n, sentence }) => kind === "audio" && n !== undefined && sentence === 0),
      "mid sound": () => out(({ kind, n = 0, sentence }) => kind === "audio" && n > midSound && sentence === 1),
      "last sound": () => out(({ end }) => end === "reply"),
      played: () => bus.subscribe(channels.event("*"), ({ turn }, { device }) => see(isWhole(turn), device)),
    };
    const closer = watches[moment]();
  });
}

const isWhole = (turn: TurnPlayed | undefined) => turn?.complete === true;
