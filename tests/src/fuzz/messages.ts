import { once } from "node:events";
import { decodeFrame, parseDeviceMessage, ProtocolError, type FramingVersion } from "@voxbus/protocol";
import { WebSocket } from "ws";
import { mutateBytes } from "./mutate.ts";
import { makeDeviceMessage } from "./parsers.ts";
import { createRandom, type Random } from "./random.ts";
import { deviceSeeds, frameSeeds } from "./seeds.ts";

/** A WebSocket message and its expected outcome: `taken`, or the name of the drop. */
export interface Message {
  readonly data: Uint8Array;
  readonly isText: boolean;
  readonly outcome: string;
}

/** The messages of one connection and how they were answered. */
export interface Delivered {
  readonly messages: readonly Message[];
  /** False if the gateway closed the connection before it answered the last ping. */
  readonly all: boolean;
  /** True if no answer came. */
  readonly stuck: boolean;
}

const maxAudioBytes = 8192;
const answerMs = 15_000;
/** The number of messages per connection. */
export const messagesPerConnection = 40;

/** Makes the messages of connection `index`; the same seed makes the same ones. */
export function makeMessages(seed: number, index: number, absurd: readonly unknown[]) {
  const random = createRandom(seed, "messages", index);
  const framing = (1 + random.below(3)) as FramingVersion;
  // The first binary message is valid: it settles the framing.
  const first = { data: frameSeeds[framing - 1]![2]!, isText: false, outcome: "taken" };
  const others = Array.from({ length: messagesPerConnection - 1 }, () => makeMessage(random, framing, absurd));
  return { framing, messages: [first, ...others] as readonly Message[] };
}

function makeMessage(random: Random, framing: FramingVersion, absurd: readonly unknown[]): Message {
  if (random.oneIn(2)) {
    const data = random.oneIn(20) ? new Uint8Array(0) : mutateBytes(random, random.pick(frameSeeds[framing - 1]!));
    return { data: data.subarray(0, 65_536), isText: false, outcome: judgeAudio(framing, data.subarray(0, 65_536)) };
  }
  const text = Buffer.from(makeDeviceMessage(random, absurd)).toString("utf8").slice(0, 20_000);
  const outcome = judgeText(text);
  // Valid typed text would start a turn, and a goodbye would end the connection.
  const isWork = outcome === "taken" && /detect|"start"|goodbye/.test(text);
  if (isWork && !random.oneIn(20)) return { data: Buffer.from('{"type":"ping"}'), isText: true, outcome: "taken" };
  return { data: Buffer.from(text), isText: true, outcome };
}

function judgeAudio(framing: FramingVersion, data: Uint8Array): string {
  try {
    const { packet } = decodeFrame(framing, data);
    if (packet.byteLength === 0) return "empty";
    return packet.byteLength > maxAudioBytes ? "oversize" : "taken";
  } catch (error) {
    if (error instanceof ProtocolError) return "bad-frame";
    throw error;
  }
}

function judgeText(text: string): string {
  try {
    const message = parseDeviceMessage(text);
    if (message === undefined) return "unknown-type";
    return message.type === "hello" ? "second-hello" : "taken";
  } catch (error) {
    if (error instanceof ProtocolError) return "malformed";
    throw error;
  }
}

/** Sends a hello and the messages of one connection, then a ping whose pong shows that all were read. */
export async function deliver(
  url: string,
  device: string,
  framing: FramingVersion,
  messages: readonly Message[],
): Promise<Delivered> {
  const socket = new WebSocket(url, { headers: { "Device-Id": device, "Protocol-Version": String(framing) } });
  const patience = AbortSignal.timeout(answerMs);
  // A close follows.
  socket.on("error", () => socket.terminate());
  const closed = once(socket, "close");
  let all = false;
  let stuck = false;
  try {
    await Promise.race([once(socket, "open", { signal: patience }), closed]);
    socket.send(JSON.stringify(deviceSeeds[0]));
    for (const { data, isText } of messages) socket.send(data, { binary: !isText });
    socket.ping();
    const [what] = await Promise.race([
      once(socket, "pong", { signal: patience }).then(() => ["pong"] as const),
      closed.then(() => ["close"] as const),
    ]);
    all = what === "pong";
  } catch {
    stuck = socket.readyState !== WebSocket.CLOSED;
  }
  socket.terminate();
  await closed;
  return { messages, all, stuck };
}
