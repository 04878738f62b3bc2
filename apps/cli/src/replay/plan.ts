import {
  parseJson,
  StoredProfile,
  type InControl,
  type Inbound,
  type ListenMode,
  type OwnProfile,
} from "@voxbus/protocol";
import { RecordingError, type RecordedLoss } from "../recording/format.ts";
import { isUnreadable, readMoment, type Moment } from "../recording/moments.ts";
import type { Read } from "../recording/reader.ts";
import { createExchanges, takeRoom, type RecordedExchange, type TextRoom } from "./exchanges.ts";
import { McpAnswers } from "./mcp-answers.ts";

/** The most devices and sessions that one replay has. */
export const maxDevices = 1000;
const maxSessions = 10_000;
/** Characters of texts and answers that are kept for the replay, of all devices together. */
const maxTextChars = 32 * 1_048_576;
/** A wake word has at most this many packets in front of it. */
const mostWakePackets = 40;
/** Packets sent while the device speaks that show a microphone which stays on. */
const someEchoPackets = 10;

type Opened = Extract<InControl, { type: "opened" }>;

/** A recorded session, as a replay opens it again. */
export interface SessionPlan {
  /** The hello. Unknown if the session was open before the recording began. */
  opened: Opened | undefined;
  /** The mode of a listen that was open before the recording began. */
  openListen: ListenMode | undefined;
  /** It has sent MCP messages, so it has an MCP server. */
  usesMcp: boolean;
}

/** A recorded device. */
export interface DevicePlan {
  readonly device: string;
  readonly sessions: ReadonlyMap<string, SessionPlan>;
  /** Inbound frames in the recording, and frames that it misses. */
  readonly frames: number;
  readonly missing: number;
  readonly exchanges: readonly RecordedExchange[];
  readonly mcp: McpAnswers;
}

/** A recording, read once from its beginning to its end. */
export interface Plan {
  readonly devices: ReadonlyMap<string, DevicePlan>;
  /** The recorded profiles by device. */
  readonly profiles: ReadonlyMap<string, OwnProfile>;
  /** The time of the first inbound frame, and of the last record, in ms. */
  readonly from: number;
  readonly to: number;
  readonly lost: readonly RecordedLoss[];
  /** Recorded messages that do not decode. */
  readonly unreadable: number;
  /** Texts and answers of MCP that were not kept, because there are too many. */
  readonly refused: number;
  /** Bytes of an incomplete last record; undefined if the file is complete. */
  readonly cut: number | undefined;
  /** The file has no end mark, because the recorder was killed. */
  readonly isOpenEnded: boolean;
}

/** Reads a recording for the devices that are `wanted`. Throws RecordingError. */
export async function readPlan(records: AsyncIterable<Read>, wanted: (device: string) => boolean): Promise<Plan> {
  const devices = new Map<string, DeviceReader>();
  const room: TextRoom = { left: maxTextChars, refused: 0 };
  const profiles = new Map<string, OwnProfile>();
  const lost: RecordedLoss[] = [];
  let [from, to, unreadable, isOpenEnded] = [Infinity, 0, 0, true];
  let cut: number | undefined;
  for await (const record of records) {
    if (record.type === "header") continue;
    if (record.type === "cut") {
      cut = record.bytes;
      continue;
    }
    to = record.t;
    if (record.type === "end") isOpenEnded = false;
    else if (record.type === "profile") {
      if (wanted(record.device) && profiles.size < maxDevices && takeRoom(room, record.profile))
        profiles.set(record.device, readProfile(record.profile));
    } else if (record.type === "lost") {
      if (lost.length < 1000) lost.push(record);
    } else {
      try {
        const moment = readMoment(record);
        if (moment === undefined || !wanted(moment.device)) continue;
        if (moment.kind === "in") from = Math.min(from, moment.t);
        deviceOf(devices, moment.device, room).take(moment);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        unreadable += 1;
      }
    }
  }
  const plans = [...devices].map(([device, reader]) => [device, reader.end()] as const);
  const { refused } = room;
  return {
    devices: new Map(plans),
    profiles,
    from: Math.min(from, to),
    to,
    lost,
    unreadable,
    refused,
    cut,
    isOpenEnded,
  };
}

function deviceOf(devices: Map<string, DeviceReader>, device: string, room: TextRoom): DeviceReader {
  const known = devices.get(device);
  if (known !== undefined) return known;
  if (devices.size >= maxDevices)
    throw new RecordingError(`The recording has more than ${maxDevices} devices. Name some with --device.`);
  const reader = new DeviceReader(device, room);
  devices.set(device, reader);
  return reader;
}

/** Reads a profile. Fields that are not valid are left out. */
function readProfile(text: string): OwnProfile {
  const stored = StoredProfile.safeParse(parseJson(text));
  return stored.success ? stored.data.own : {};
}

/** A session while it is read. */
interface ReadSession extends SessionPlan {
  /** The newest seq. */
  seq: number;
  /** Packets before anything else tells what they are. */
  packets: number;
  /** Those of them that were sent while the device spoke. */
  echoes: number;
  isDecided: boolean;
}

class DeviceReader {
  readonly #device: string;
  readonly #sessions = new Map<string, ReadSession>();
  readonly #exchanges;
  readonly #mcp;
  #frames = 0;
  #missing = 0;
  #speaking = false;

  constructor(device: string, room: TextRoom) {
    this.#device = device;
    this.#exchanges = createExchanges(room);
    this.#mcp = new McpAnswers(room);
  }

  take(moment: Moment): void {
    this.#exchanges.take(moment);
    if (moment.kind === "in") this.#frame(moment.frame);
    else if (moment.kind === "event" && moment.event.turn) this.#speaking = false;
    else if (moment.kind === "out" && moment.out.kind === "text") {
      const { body } = moment.out;
      if (body.type === "tts") this.#speaking = true;
      if (body.type === "mcp") this.#mcp.asked(body.payload);
    }
  }

  end(): DevicePlan {
    for (const session of this.#sessions.values()) if (session.packets > mostWakePackets) decide(session, "auto");
    return {
      device: this.#device,
      sessions: this.#sessions,
      frames: this.#frames,
      missing: this.#missing,
      exchanges: this.#exchanges.list(),
      mcp: this.#mcp,
    };
  }

  #frame(frame: Inbound): void {
    const session = this.#session(frame);
    if (frame.seq <= session.seq) return; // published twice
    this.#missing += session.seq === 0 ? 0 : frame.seq - session.seq - 1;
    session.seq = frame.seq;
    this.#frames += 1;
    if (frame.kind === "audio") {
      session.packets += 1;
      if (this.#speaking) session.echoes += 1;
    } else if (frame.kind === "text") decide(session, undefined);
    else this.#control(session, frame.body);
  }

  #control(session: ReadSession, body: InControl): void {
    if (body.type === "opened") {
      session.opened = body;
      decide(session, undefined);
    } else if (body.type === "stop") decide(session, "manual");
    else if (body.type === "wake") decide(session, undefined);
    else if (body.type === "listen" || body.type === "closed" || body.type === "goodbye")
      decide(session, session.packets > mostWakePackets ? "auto" : undefined);
    else if (body.type === "mcp") {
      session.usesMcp = true;
      this.#mcp.answered(body.payload);
    }
  }

  #session({ session: id }: Inbound): ReadSession {
    const known = this.#sessions.get(id);
    if (known !== undefined) return known;
    if (this.#sessions.size >= maxSessions)
      throw new RecordingError(`The recording has more than ${maxSessions} sessions of ${this.#device}.`);
    const counts = { seq: 0, packets: 0, echoes: 0, isDecided: false };
    const session = { opened: undefined, openListen: undefined, usesMcp: false, ...counts };
    this.#sessions.set(id, session);
    return session;
  }
}

/** Decides, once for each session, whether its first packets belong to a listen that the recording does not show. */
function decide(session: ReadSession, mode: ListenMode | undefined): void {
  if (session.isDecided) return;
  session.isDecided = true;
  if (mode === undefined || session.packets === 0) return;
  session.openListen = mode === "auto" && session.echoes >= someEchoPackets ? "realtime" : mode;
}

/** The beginning of the ids of devices that stand in for recorded ones. */
export const standInPrefix = "replay-";

/** The id of the device that stands in for a recorded one, cut where it would get too long. */
export function standInId(device: string): string {
  return (standInPrefix + device).slice(0, 64);
}
