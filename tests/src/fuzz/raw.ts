import { mutateBytes } from "./mutate.ts";
import { makeDeviceMessage } from "./parsers.ts";
import type { Random } from "./random.ts";
import { deviceSeeds, frameSeeds, makeOta, makeUpgrade } from "./seeds.ts";
import { exchange, makeFrame, type Exchange } from "./tcp.ts";

/** A kind of input for its own TCP connection: an upgrade request, WebSocket frames, or a request for a configuration. */
export interface RawTarget {
  readonly name: string;
  readonly weight: number;
  /** Makes the bytes of input `index`, in the pieces in which they are written. */
  make(random: Random, index: number): readonly Uint8Array[];
  send(port: number, pieces: readonly Uint8Array[]): Promise<Exchange>;
  /** Names the outcome, by the gateway's name of the refusal or of the close code. */
  nameOutcome(answer: Buffer, closed: boolean): string;
}

// A complete request is answered even by a busy machine; an incomplete one waits for its rest.
const wholeMs = 3000;
const cutMs = 60;
const deviceOf = (index: number) => `fuzz-${index % 50}`;
const head = (answer: Buffer) => answer.toString("latin1", 0, 2000);

function nameHttp(answer: Buffer, closed: boolean): string {
  const text = head(answer);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  // Without HTTP, the connection is closed without an answer.
  if (status === undefined) return closed ? "bad-request" : "waiting";
  return /"error":"([a-z-]+)"/.exec(text)?.[1] ?? status;
}

// The first Close that the gateway sent: an unmasked frame 0x88 with a code of 2 bytes.
function nameClose(answer: Buffer, closed: boolean): string {
  const start = answer.indexOf("\r\n\r\n");
  if (!head(answer).startsWith("HTTP/1.1 101") || start < 0) return nameHttp(answer, closed);
  for (let at = start + 4; at + 2 <= answer.byteLength;) {
    const length = (answer[at + 1] ?? 0) & 0x7f;
    if (answer[at] === 0x88) return length >= 2 ? String(answer.readUInt16BE(at + 2)) : "close";
    at += length === 126 ? 4 + (at + 4 <= answer.byteLength ? answer.readUInt16BE(at + 2) : 0) : 2 + length;
  }
  return closed ? "closed" : "open";
}

function makeFrames(random: Random): Uint8Array {
  const frames = Array.from({ length: 1 + random.below(8) }, () => {
    const opcode = random.oneIn(4) ? random.below(16) : random.pick([1, 1, 2, 2, 9, 10]);
    const payload = random.oneIn(3)
      ? random.bytes(random.below(200))
      : opcode === 2 ? random.pick(frameSeeds[random.below(3)]!) : makeDeviceMessage(random, [null, 5, "x"]); // prettier-ignore
    return makeFrame(payload, {
      opcode,
      fin: !random.oneIn(6),
      rsv: random.oneIn(12) ? 1 + random.below(7) : 0,
      masked: !random.oneIn(16),
      ...(random.oneIn(10) ? { lie: random.pick([0, 1, 126, 0xffff, 0x10000, 0x7fffffff, 2 ** 52]) } : {}),
    });
  });
  const all = Buffer.concat(frames);
  return random.oneIn(3) ? mutateBytes(random, all) : all;
}

const isWhole = ([header, body]: readonly Uint8Array[]) =>
  body !== undefined && Buffer.from(header!).includes(`Content-Length: ${body.byteLength}\r\n`);
const isClosing = (answer: Buffer) => nameClose(answer, false) !== "open" && nameClose(answer, false) !== "waiting";
const hello = makeFrame(Buffer.from(JSON.stringify(deviceSeeds[0])), { opcode: 1 });

/** All kinds of bytes for the gateway's port. */
export const rawTargets: readonly RawTarget[] = [
  {
    name: "WebSocket frames",
    weight: 4,
    make: (random, index) => [
      Buffer.from(makeUpgrade(deviceOf(index), 1 + random.below(3))),
      ...(random.oneIn(8) ? [] : [hello]),
      makeFrames(random),
    ],
    send: (port, pieces) => exchange(port, pieces, { waitMs: wholeMs, isEnough: isClosing }),
    nameOutcome: nameClose,
  },
  {
    name: "upgrade request",
    weight: 3,
    make: (random, index) => [
      mutateBytes(random, Buffer.from(makeUpgrade(deviceOf(index), 1))),
      // The gateway waits for the end of a header.
      Buffer.from(random.oneIn(4) ? "" : "\r\n\r\n"),
    ],
    send: (port, pieces) =>
      exchange(port, pieces, {
        waitMs: pieces[1]!.byteLength > 0 ? wholeMs : cutMs,
        isEnough: (answer) => answer.includes("\r\n\r\n"),
      }),
    nameOutcome: nameHttp,
  },
  {
    name: "OTA request",
    weight: 3,
    make: (random, index) => {
      const valid = makeOta(deviceOf(index), random.pick(["/xiaozhi/ota/", "/xiaozhi/ota/activate", "/xiaozhi/ota"]));
      const body = valid.indexOf("\r\n\r\n") + 4;
      if (random.oneIn(2)) return [mutateBytes(random, Buffer.from(valid))];
      // Only the body is broken: the length in its header is then right, too long or too short.
      const mutated = mutateBytes(random, Buffer.from(valid.slice(body)));
      const length = random.pick([mutated.byteLength, mutated.byteLength, mutated.byteLength + 50, 1, 10_000_000]);
      return [Buffer.from(valid.slice(0, body).replace(/Content-Length: \d+/, `Content-Length: ${length}`)), mutated];
    },
    send: (port, pieces) =>
      exchange(port, pieces, {
        waitMs: isWhole(pieces) ? wholeMs : cutMs,
        cut: pieces.length > 1 && pieces[0]!.byteLength % 3 === 0,
        isEnough: (answer) => answer.includes("}"),
      }),
    nameOutcome: nameHttp,
  },
];
