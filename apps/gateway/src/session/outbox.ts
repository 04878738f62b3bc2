import {
  closeCodes,
  encodeFrame,
  formatServerMessage,
  maxDeviceTextBytes,
  type CloseName,
  type FramingVersion,
  type OutText,
  type ServerMessage,
} from "@voxbus/protocol";
import type { WebSocket } from "ws";
import { fixedLimits, type Limits } from "../limits.ts";
import { countLateness, type Counters } from "../observe/counters.ts";
import type { Clock, Ticker } from "../playout/clock.ts";
import type { Downlink } from "../playout/downlink.ts";
import { BackPressureProbe } from "./back-pressure-probe.ts";
import type { Ending } from "./ending.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { sendWhole } from "./send-whole.ts";

/** The sound that devices are sent. */
export const downlinkFormat = { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 } as const;

/** Dependencies of an outbox. */
export interface OutboxDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: Pick<Limits, "slowMs">;
  readonly heartbeat: Heartbeat;
  readonly ending: Ending;
}

/** Writes one session's frames to its socket, and measures whether the device takes them in. */
export class Outbox implements Downlink, Ticker {
  framing: FramingVersion;
  readonly #deps: OutboxDeps;
  readonly #socket: WebSocket;
  readonly #session: string;
  #probe: BackPressureProbe | undefined;
  #isWatching = false;
  /** True from `tts` `start` to `tts` `stop`. */
  #isSpeaking = false;

  constructor(deps: OutboxDeps, socket: WebSocket, session: string, framing: FramingVersion) {
    this.#deps = deps;
    this.#socket = socket;
    this.#session = session;
    this.framing = framing;
  }

  writeText(message: OutText | ServerMessage): void {
    const { counters } = this.#deps;
    const text = formatServerMessage(message, this.#session);
    if (Buffer.byteLength(text) > maxDeviceTextBytes) {
      counters.drops.oversize += 1;
      return;
    }
    if (message.type === "tts" && message.state !== "sentence_start") this.#isSpeaking = message.state === "start";
    counters.sent.text += 1;
    counters.sentBytes.text += text.length;
    sendWhole(this.#socket, text);
    this.#checkSocket();
  }

  writeAudio(packet: Uint8Array, late = 0): void {
    const { clock, counters } = this.#deps;
    counters.sent.audio += 1;
    counters.sentBytes.audio += packet.byteLength;
    countLateness(counters, late);
    sendWhole(this.#socket, encodeFrame(this.framing, packet, Math.round(clock.now())));
  }

  writable(): boolean {
    const { clock, limits, heartbeat } = this.#deps;
    const now = clock.now();
    this.#probe ??= new BackPressureProbe(limits.slowMs, heartbeat.rtt !== undefined);
    if (this.#probe.want(now)) {
      this.ping();
      if (!this.#isWatching) this.tick(now);
    }
    return this.#probe.mayWrite(now) && this.#socket.bufferedAmount < fixedLimits.playoutSocketBytes;
  }

  ping(): void {
    this.#socket.ping();
  }

  /** A ping came, and was answered. */
  pinged(): void {
    this.#checkSocket();
  }

  /** A pong came. */
  pong(): void {
    this.#probe?.pong();
  }

  /** Closes a device that does not read what it is sent. */
  #checkSocket(): void {
    if (this.#socket.bufferedAmount > fixedLimits.slowSocketBytes) this.close("slow");
  }

  /** Checks whether the device is slow; called by the clock. */
  tick(now: number): void {
    const next = this.#probe?.check(now);
    this.#isWatching = typeof next === "number";
    if (typeof next === "number") this.#deps.clock.wake(this, next);
    else if (next === "slow") this.close("slow");
  }

  /** Ends the session: says `tts` `stop` if the device speaks, and writes a Close frame. TCP is dropped later if need be. */
  close(reason: CloseName): void {
    const { ending } = this.#deps;
    if (ending.isRequested) return;
    const { code } = closeCodes[reason];
    ending.request({ reason, code });
    if (this.#isSpeaking) this.writeText({ type: "tts", state: "stop" });
    this.#socket.close(code, reason);
    const linger = setTimeout(() => this.#socket.terminate(), fixedLimits.lingerMs).unref();
    this.#socket.once("close", () => clearTimeout(linger));
  }

  /** Drops TCP at once. */
  terminate(): void {
    this.#socket.terminate();
  }
}
