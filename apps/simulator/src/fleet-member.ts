import { setTimeout as sleep } from "node:timers/promises";
import { closeCodes } from "@voxbus/protocol";
import { ConnectionError } from "./connection.ts";
import { connectDevice, type DeviceClient, type DeviceEvent, type DeviceOptions } from "./device-client.ts";
import type { Tally } from "./fleet-stats.ts";
import { readClock } from "./microphone.ts";
import { createOrderCheck } from "./order-check.ts";
import { followTurn, type Turn, type TurnRecord } from "./turn.ts";
import type { Utterance } from "./utterance.ts";

/** One thing a fleet says: typed, or spoken where there is a recording. */
export interface FleetLine {
  readonly text: string;
  readonly utterance?: Utterance | undefined;
}

/** A device of a fleet: it stays connected, comes back when it was cut off, and holds one turn at a time. */
export interface FleetMember {
  /** True while it is connected and in no turn. */
  readonly free: boolean;
  readonly connected: boolean;
  /** Resolves when its first attempt to connect has succeeded or failed. */
  readonly arrived: Promise<void>;
  /** Holds one turn and counts what became of it. Only for a free member. */
  runTurn(line: FleetLine): Promise<void>;
  /** Resolves when it has left for good, which it does when the signal it joined with is aborted. */
  readonly left: Promise<void>;
}

const shortestReturnMs = 200;
const longestReturnMs = 30_000;
const returnSpreadMs = 1800;
const brokenConnection = 1006;

/**
 * Joins a device to the fleet after `delayMs`. Everything is counted in `tally`: nothing is thrown, decoded or kept. A connection closed
 * with a code that says so (docs/protocol.md, close codes), or cut off, is opened again after 0.2 to 2 s, doubling while refused.
 */
export function joinFleet(
  options: {
    readonly device: DeviceOptions;
    readonly tally: Tally;
    readonly patienceMs: number;
    readonly delayMs: number;
  },
  signal: AbortSignal,
): FleetMember {
  const { device, tally, patienceMs, delayMs } = options;
  let client: DeviceClient | undefined;
  let turn: Turn | undefined;
  let arrive: () => void;
  const arrived = new Promise<void>((resolve) => (arrive = resolve));

  const connect = async (): Promise<{ code: number; reason: string }> => {
    const checkOrder = createOrderCheck();
    const began = readClock();
    let see: (event: DeviceEvent) => void;
    const closed = new Promise<{ code: number; reason: string }>((resolve) => {
      see = (event) => {
        const problem = checkOrder(event);
        if (problem !== undefined) tally.fail(`order: ${problem}`);
        turn?.see(event);
        if (!("got" in event)) return;
        if (event.got === "audio") tally.counts.framesReceived++;
        if (event.got === "close") resolve(event);
      };
    });
    const opened = await connectDevice({ ...device, onEvent: (event) => see(event) }, signal);
    tally.measure("connect → hello", readClock() - began);
    client = opened;
    arrive();
    try {
      return await closed;
    } finally {
      client = undefined;
      tally.counts.framesSent += opened.connection.packetsSent;
    }
  };
  const stay = async () => {
    await sleep(delayMs, undefined, { signal });
    for (let refusals = 0; ;) {
      try {
        const { code, reason } = await connect();
        if (signal.aborted) return;
        tally.fail(`closed: ${code} ${reason}`.trimEnd());
        if (!returnsAfter(code)) return;
        refusals = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ConnectionError)) throw error;
        tally.fail(`connect: ${error.code} ${error.status ?? ""}`.trimEnd());
        refusals++;
        arrive();
      }
      const pause = (shortestReturnMs + Math.random() * returnSpreadMs) * 2 ** refusals;
      await sleep(Math.min(pause, longestReturnMs), undefined, { signal });
    }
  };
  const left = stay().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });

  return {
    get free() {
      return client !== undefined && turn === undefined;
    },
    get connected() {
      return client !== undefined;
    },
    arrived,
    left,
    async runTurn({ text, utterance }) {
      const speaking = client!;
      turn = followTurn(patienceMs);
      tally.counts.started++;
      if (utterance === undefined) {
        speaking.type(text);
        turn.endInput(readClock());
      } else {
        const { speechEnd } = await speaking.say(utterance);
        turn.endInput(speechEnd ?? readClock());
      }
      const outcome = await turn.finished;
      const { record } = turn;
      turn = undefined;
      if (outcome === "answered") {
        tally.counts.answered++;
        measureTurn(tally, record, utterance !== undefined);
        if (utterance !== undefined && spell(record.heard ?? "") !== spell(text)) tally.counts.misheard++;
        return;
      }
      tally.counts.lost++;
      tally.fail(`turn: ${outcome === "closed" ? "cut off" : outcome}`);
      // An answer that comes all the same must not be taken for that of the next turn.
      if (speaking.state !== "closed") {
        speaking.stop();
        speaking.abort();
      }
    },
  };
}

function returnsAfter(code: number): boolean {
  return code === brokenConnection || Object.values(closeCodes).some((close) => close.code === code && close.reconnect);
}

function measureTurn(tally: Tally, record: TurnRecord, spoken: boolean): void {
  const { began, inputEnd = began, heardAt, startedAt, firstAudioAt, stoppedAt } = record;
  const measure = (name: Parameters<Tally["measure"]>[0], at: number | undefined, since: number) => {
    if (at !== undefined) tally.measure(name, at - since);
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
