import {
  connectMqtt,
  encodeSpeech,
  openAudio,
  openTestDevice,
  type Received,
  type TestDeviceOptions,
} from "@voxbus/testing";

/** A device's connection to a gateway: a WebSocket, or MQTT with the UDP channel of a conversation. */
export interface Connection {
  /** The session id of the server's hello. */
  readonly session: string;
  /** Resolves with the close code. Over MQTT it is the code of a WebSocket that ended in the same way. */
  readonly closed: Promise<{ readonly code: number }>;
  /** Sends JSON, or an Opus packet. */
  send(message: object): void;
  vanish(): void;
}

/** A packet of a quiet room. */
export const silence = encodeSpeech(Int16Array.from({ length: 960 }, (_, i) => ((i * 7919) % 41) - 20))[0]!;

/** The codes of a WebSocket for a device that was sent away, and for one whose connection broke. */
const codes = { restart: 1012, broken: 1006 } as const;

/**
 * Connects a device over the transport that the URL names, and says hello. With `hello: false` a device over MQTT stays idle.
 * Rejects if it is refused.
 */
export function openConnection(url: string, options: TestDeviceOptions): Promise<Connection> {
  return url.startsWith("mqtt:") ? openMqtt(url, options) : openTestDevice(url, options);
}

async function openMqtt(
  url: string,
  { id = "", hello, onReceived = () => undefined, timeoutMs = 10_000 }: TestDeviceOptions,
): Promise<Connection> {
  const { text, sound, flush } = createOrder(onReceived);
  let wasSentAway = false;
  const device = await connectMqtt({
    port: Number(new URL(url).port),
    id,
    timeoutMs,
    onReceived(message) {
      text(message);
      if (message["type"] !== "goodbye") return;
      wasSentAway = true;
      setImmediate(() => device.vanish());
    },
  });
  if (device.code !== 0) {
    device.vanish();
    throw new Error(`CONNACK ${device.code}`);
  }
  const timer = setTimeout(() => device.vanish(), timeoutMs);
  const opening = hello === false ? Promise.resolve(undefined) : openAudio(device, sound);
  const audio = await opening.finally(() => clearTimeout(timer));
  // A gateway sends sound to where a packet came from.
  audio?.send(silence);
  let isOpen = true;
  const closed = device.closed.then(() => {
    audio?.close();
    isOpen = false;
    flush();
    return { code: wasSentAway ? codes.restart : codes.broken };
  });
  return {
    session: audio?.session ?? "",
    closed,
    send(message) {
      if (!(message instanceof Uint8Array)) device.send(message);
      else if (isOpen) audio?.send(message);
    },
    vanish: () => device.vanish(),
  };
}

/**
 * Orders what TCP and UDP bring in two turns of the event loop: texts, then sound, then the end of the answer. A busy process
 * reads one way before the other, whatever was sent first.
 */
function createOrder(onReceived: (received: Received) => void) {
  const texts: Received[] = [];
  const sounds: Received[] = [];
  const flush = () => {
    const end = texts.findIndex((one) => "json" in one && one.json["state"] === "stop");
    const late = end < 0 ? [] : texts.splice(end);
    for (const one of [...texts.splice(0), ...sounds.splice(0), ...late]) onReceived(one);
  };
  const take = (list: Received[], received: Received) => {
    if (texts.length + sounds.length === 0) setImmediate(() => setImmediate(flush));
    list.push(received);
  };
  return {
    text: (json: Readonly<Record<string, unknown>>) => take(texts, { json }),
    sound: (binary: Buffer) => take(sounds, { binary }),
    flush,
  };
}
