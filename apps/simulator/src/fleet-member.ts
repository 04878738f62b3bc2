import { setTimeout as sleep } from "node:timers/promises";
import { closeCodes } from "@voxbus/protocol";
import { ConnectionError } from "./connection.ts";
import type { DeviceClient, DeviceOptions } from "./client.ts";
import { connectDevice } from "./device-client.ts";
import type { FleetStats } from "./fleet-stats.ts";
import { readClock } from "./microphone.ts";
import { isMqtt } from "./mqtt-connection.ts";
import { createOrderCheck } from "./order-check.ts";
import { followTurn, type Outcome, type Turn, type TurnRecord } from "./turn.ts";
import type { Utterance } from "./utterance.ts";

/** A line that a fleet says: spoken if it has a recording, otherwise typed. */
export interface FleetLine {
  readonly text: string;
  readonly utterance?: Utterance | undefined;
}

/** A device of a fleet. It stays connected, reconnects when it is cut off, and has one turn at a time. */
export interface FleetMember {
  /** True while it is connected and has no turn. */
  readonly free: boolean;
  readonly connected: boolean;
  /** Resolves when its first attempt to connect has succeeded or failed. */
  readonly arrived: Promise<void>;
  /** Holds one turn and counts its outcome. Only for a free member. */
  runTurn(line: FleetLine): Promise<void>;
  /** Resolves when it has left for good, after its signal was aborted. */
  readonly left: Promise<void>;
}

/** The device of a member, and where it is counted. */
export interface MemberOptions {
  readonly device: DeviceOptions;
  readonly stats: FleetStats;
  /** The longest wait for a message of the server in a turn, in ms. */
  readonly timeoutMs: number;
  /** The wait before it connects, in ms. */
  readonly delayMs: number;
}

const shortestReturnMs = 200;
const longestReturnMs = 30_000;
const returnSpreadMs = 1800;
const brokenConnection = 1006;

/**
 * Joins a device to a fleet. Failures are counted, not thrown, and no audio is decoded or kept. After a broken connection, or a
 * close code with `reconnect` (docs/protocol.md, close codes), it reconnects within 0.2 to 2 s; refusals double that.
 */
export function joinFleet(options: MemberOptions, signal: AbortSignal): FleetMember {
  return new Member(options, signal);
}

class Member implements FleetMember {
  readonly arrived: Promise<void>;
  readonly left: Promise<void>;
  readonly #options: MemberOptions;
  readonly #signal: AbortSignal;
  #arrive: () => void = () => undefined;
  #client: DeviceClient | undefined;
  #turn: Turn | undefined;

  constructor(options: MemberOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.arrived = new Promise<void>((resolve) => (this.#arrive = resolve));
    this.left = this.#stay().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  get free(): boolean {
    return this.#client !== undefined && this.#turn === undefined;
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  async runTurn({ text, utterance }: FleetLine): Promise<void> {
    const { stats, timeoutMs } = this.#options;
    const client = this.#client!;
    const turn = followTurn(timeoutMs);
    this.#turn = turn;
    stats.counts.started++;
    const isIdle = isMqtt(this.#options.device.identity);
    if (isIdle && !(await this.#beginConversation(client))) return;
    if (utterance === undefined) {
      client.type(text);
      turn.endInput(readClock());
    } else {
      const { speechEnd } = await client.say(utterance);
      turn.endInput(speechEnd ?? readClock());
    }
    const outcome = await turn.finished;
    this.#turn = undefined;
    if (isIdle) client.sayGoodbye();
    if (outcome !== "answered") return this.#lose(client, outcome);
    stats.counts.answered++;
    measureTurn(stats, turn.record, utterance !== undefined);
    if (utterance !== undefined && spell(turn.record.heard ?? "") !== spell(text)) stats.counts.misheard++;
  }

  /** Opens the audio channel. Returns false, and counts the turn as lost, if that fails. */
  async #beginConversation(client: DeviceClient): Promise<boolean> {
    try {
      await client.connect();
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#turn = undefined;
      this.#lose(client, "closed");
      return false;
    }
  }

  #lose(client: DeviceClient, outcome: Outcome): void {
    const { stats } = this.#options;
    stats.counts.lost++;
    stats.fail(`turn: ${outcome === "closed" ? "cut off" : outcome}`);
    // A late answer must not count for the next turn.
    client.abort();
  }

  async #stay(): Promise<void> {
    const { stats, delayMs } = this.#options;
    const signal = this.#signal;
    await sleep(delayMs, undefined, { signal });
    for (let refusals = 0; ;) {
      try {
        const { code, reason } = await this.#connect();
        if (signal.aborted) return;
        stats.fail(`closed: ${code} ${reason}`.trimEnd());
        if (!returnsAfter(code)) return;
        refusals = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ConnectionError)) throw error;
        stats.fail(`connect: ${error.code} ${error.status ?? ""}`.trimEnd());
        refusals++;
        this.#arrive();
      }
      const pause = (shortestReturnMs + Math.random() * returnSpreadMs) * 2 ** refusals;
      await sleep(Math.min(pause, longestReturnMs), undefined, { signal });
    }
  }

  /** Connects, and resolves with the close code when the connection has ended. */
  async #connect(): Promise<{ readonly code: number; readonly reason: string }> {
    const { device, stats } = this.#options;
    const checkOrder = createOrderCheck({ idles: isMqtt(device.identity) });
    const began = readClock();
    let close: (event: { readonly code: number; readonly reason: string }) => void;
    const closed = new Promise<{ readonly code: number; readonly reason: string }>((resolve) => (close = resolve));
    const onEvent: DeviceOptions["onEvent"] = (event) => {
      const problem = checkOrder(event);
      if (problem !== undefined) stats.fail(`order: ${problem}`);
      this.#turn?.observe(event);
      if (!("got" in event)) return;
      if (event.got === "audio") stats.counts.framesReceived++;
      if (event.got === "close") close(event);
    };
    const client = await connectDevice({ ...device, onEvent }, this.#signal);
    stats.measure("connect → hello", readClock() - began);
    this.#client = client;
    this.#arrive();
    try {
      return await closed;
    } finally {
      this.#client = undefined;
      stats.counts.framesSent += client.connection.packetsSent;
    }
  }
}

function returnsAfter(code: number): boolean {
  return code === brokenConnection || Object.values(closeCodes).some((close) => close.code === code && close.reconnect);
}

function measureTurn(stats: FleetStats, record: TurnRecord, spoken: boolean): void {
  const { began, inputEnd = began, heardAt, startedAt, firstAudioAt, stoppedAt } = record;
  const measure = (name: Parameters<FleetStats["measure"]>[0], at: number | undefined, since: number) => {
    if (at !== undefined) stats.measure(name, at - since);
  };
  if (spoken) measure("end of speech → transcript", heardAt, inputEnd);
  measure(spoken ? "end of speech → tts/start" : "text → tts/start", startedAt, inputEnd);
  measure(spoken ? "end of speech → first sound" : "text → first sound", firstAudioAt, inputEnd);
  measure(spoken ? "spoken turn, whole" : "typed turn, whole", stoppedAt, began);
}

function spell(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
