import { z } from "zod";
import { createOpusDecoder, OpusPacketError, readOpusPacket, readWav, readWavHeader, WavError } from "@voxbus/audio";
import {
  decodeEnvelope,
  decodeFrame,
  type DeviceMessage,
  encodeEnvelope,
  envelopes,
  InControlFrame,
  parseDeviceMessage,
  ProtocolError,
} from "@voxbus/protocol";
import { distort, makeAbsurdValues, stretch } from "./absurd.ts";
import { mutateBytes } from "./mutate.ts";
import type { Random } from "./random.ts";
import { deviceSeeds, envelopeSeeds, frameSeeds, packets, wav } from "./seeds.ts";

/** A function of ours that reads bytes from outside. */
export interface Parser {
  readonly name: string;
  /** Its share of the inputs, relative to the others. */
  readonly weight: number;
  make(random: Random): Uint8Array;
  /** Reads an input and returns the outcome: `taken`, or the name of the refusal. An error is a finding. */
  read(input: Uint8Array): string;
}

const inbound = { session: "s", seq: 1, at: 1, kind: "control" };

/** Lists all parsers. `seed` makes the absurd values among their inputs. */
export function createParsers(seed: number): readonly Parser[] {
  const absurd = makeAbsurdValues(seed);
  return [
    ...createEnvelopeParsers(absurd),
    createDeviceParser(absurd),
    ...createFrameParsers(),
    ...createAudioParsers(),
  ];
}

/** Encodes a distorted envelope. If it cannot be encoded, the bytes of the valid one are mutated. */
export function makeEnvelope(random: Random, valid: object, absurd: readonly unknown[]): Uint8Array {
  if (random.oneIn(40)) return makeBomb(random);
  if (random.oneIn(4)) return encodeEnvelope(z.any(), stretch(random, valid) as object);
  if (random.oneIn(2)) return mutateBytes(random, encodeEnvelope(z.any(), valid));
  try {
    return encodeEnvelope(z.any(), distort(random, valid, absurd) as object);
  } catch {
    return mutateBytes(random, encodeEnvelope(z.any(), valid)); // a symbol or another value that MessagePack lacks
  }
}

// Few bytes that announce much: nested arrays with large lengths, or maps, strings and binaries that do not follow.
function makeBomb(random: Random): Uint8Array {
  const heads = [[0xdd, 1, 0xff, 0xff, 0xff], [0xdc, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff], [0xdb, 0x7f, 0xff, 0xff, 0xff], [0xc6, 0xff, 0xff, 0xff, 0xff], [0xc9, 0xff, 0xff, 0xff, 0xff, 0], [0x91], [0x81, 0xa1, 0x61]]; // prettier-ignore
  const head = random.pick(heads);
  return Buffer.concat(Array.from({ length: random.pick([1, 2, 20, 500, 6000]) }, () => Buffer.from(head)));
}

function createEnvelopeParsers(absurd: readonly unknown[]): readonly Parser[] {
  return Object.entries(envelopes).map(([name, schema]) => ({
    name: `envelope ${name}`,
    weight: 8,
    make: (random) => makeEnvelope(random, random.pick(envelopeSeeds[name as keyof typeof envelopes]), absurd),
    read: (input) =>
      nameRefusal(() => {
        // A reader can pass on what it accepted, and the next reader accepts it too.
        const taken = decodeEnvelope(schema, input);
        decodeEnvelope(schema, encodeEnvelope(z.any(), taken));
      }),
  }));
}

function createDeviceParser(absurd: readonly unknown[]): Parser {
  return {
    name: "device message",
    weight: 36,
    make: (random) => makeDeviceMessage(random, absurd),
    read: (input) =>
      nameRefusal(() => {
        const message = parseDeviceMessage(Buffer.from(input).toString("utf8"));
        if (message === undefined) return "unknown-type";
        const body = toBody(message);
        if (body) decodeTaken({ ...inbound, body });
        return undefined;
      }),
  };
}

// A refusal here is a finding: every reader on the bus must accept what the gateway accepted from a device.
function decodeTaken(envelope: object): void {
  try {
    decodeEnvelope(InControlFrame, encodeEnvelope(z.any(), envelope));
  } catch (cause) {
    throw new Error("an accepted message makes an envelope that is refused", { cause });
  }
}

/** Makes a device's message with broken bytes or fields. */
export function makeDeviceMessage(random: Random, absurd: readonly unknown[]): Uint8Array {
  const valid = random.pick(deviceSeeds);
  if (random.oneIn(6)) return Buffer.from(JSON.stringify(stretch(random, valid)));
  if (random.oneIn(2)) return mutateBytes(random, Buffer.from(JSON.stringify(valid)));
  try {
    return Buffer.from(JSON.stringify(distort(random, valid, absurd)));
  } catch {
    return mutateBytes(random, Buffer.from(JSON.stringify(valid))); // a bigint, which JSON lacks
  }
}

function toBody(message: DeviceMessage): object | undefined {
  if (message.type === "mcp") return { type: "mcp", payload: message.payload };
  if (message.type === "iot") return { type: "iot", descriptors: message.descriptors, states: message.states };
  if (message.type === "abort") return { type: "abort", reason: message.reason };
  if (message.type !== "hello") return undefined;
  const { sampleRate = 16_000, frameDuration = 60 } = message.audio_params ?? message.audioParams ?? {};
  const { features } = message;
  return { type: "opened", gateway: "g", protocol: 1, features, sampleRate: Math.round(sampleRate), frameDuration };
}

function createFrameParsers(): readonly Parser[] {
  return ([2, 3] as const).map((version) => ({
    name: `framing ${version}`,
    weight: 8,
    make: (random) => mutateBytes(random, random.pick(frameSeeds[version - 1]!)),
    read: (input) =>
      nameRefusal(() => {
        const { packet } = decodeFrame(version, input);
        if (packet.byteLength > input.byteLength) throw new Error("the output is larger than the input");
      }),
  }));
}

function createAudioParsers(): readonly Parser[] {
  const decoders = ([16_000, 48_000] as const).map((sampleRate) => ({
    sampleRate,
    decoder: createOpusDecoder({ sampleRate }),
  }));
  const makePacket = (random: Random) => {
    if (random.oneIn(4)) return random.bytes(1 + random.below(random.pick([4, 40, 1400])));
    return mutateBytes(random, random.pick(packets));
  };
  const refusalOf = (error: unknown) => {
    if (error instanceof OpusPacketError) return error.code;
    if (error instanceof WavError) return "WavError";
    throw error;
  };
  return [
    {
      name: "Opus packet",
      weight: 14,
      make: makePacket,
      read: (input) => attempt(() => readOpusPacket(input), refusalOf),
    },
    ...decoders.map(({ sampleRate, decoder }) => ({
      name: `Opus decoder ${sampleRate}`,
      weight: 4,
      make: makePacket,
      read: (input: Uint8Array) =>
        attempt(() => {
          const samples = decoder.decode(input);
          const expected = (readOpusPacket(input).durationMs * sampleRate) / 1000;
          if (samples.length !== expected) throw new Error(`${samples.length} samples, expected ${expected}`);
        }, refusalOf),
    })),
    {
      name: "WAV",
      weight: 10,
      make: (random) => mutateBytes(random, wav),
      read: (input) =>
        attempt(() => {
          readWavHeader(input);
          const { samples } = readWav(input);
          if (samples.byteLength > input.byteLength) throw new Error("the output is larger than the input");
        }, refusalOf),
    },
  ];
}

function attempt(read: () => unknown, refusalOf: (error: unknown) => string): string {
  try {
    const outcome = read();
    return typeof outcome === "string" ? outcome : "taken";
  } catch (error) {
    return refusalOf(error);
  }
}

function nameRefusal(read: () => unknown): string {
  return attempt(read, (error) => {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  });
}
