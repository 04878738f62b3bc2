import { ProtocolError } from "../errors.ts";

/** The packets of MQTT 3.1 and 3.1.1 that devices and their server use: QoS 0 and 1, no state that outlives a connection. */
export type MqttPacket =
  | {
      readonly type: "connect";
      /** The protocol's name and level are those of MQTT 3.1 or 3.1.1. If not, nothing else was read. */
      readonly known: boolean;
      readonly client: string;
      readonly username: string;
      readonly password: string;
      /** Seconds; 0 without one. */
      readonly keepalive: number;
    }
  | { readonly type: "connack"; readonly code: number }
  | { readonly type: "publish"; readonly topic: string; readonly id: number | undefined; readonly payload: Uint8Array }
  | { readonly type: "subscribe" | "suback"; readonly id: number; readonly topics: number }
  | { readonly type: "puback" | "unsubscribe" | "unsuback"; readonly id: number }
  | { readonly type: "pingreq" | "pingresp" | "disconnect" };
type PacketType = MqttPacket["type"];

/** The topics that a device is told. Neither side looks at them. */
export const mqttTopics = { up: "voxbus/up", down: "voxbus/down" } as const;

/** The fixed header's first byte of each packet. PUBLISH has flags of its own. */
export const firstBytes = {
  connect: 0x10,
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  subscribe: 0x82,
  suback: 0x90,
  unsubscribe: 0xa2,
  unsuback: 0xb0,
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
} as const satisfies Readonly<Record<PacketType, number>>;
const types = new Map<number, PacketType>(Object.entries(firstBytes).map(([type, byte]) => [byte, type as PacketType]));

/** The packets that a server takes from a client before its CONNECT, and after it, and those that a client takes. */
export const mqttRoles = {
  connecting: ["connect"],
  client: ["publish", "puback", "subscribe", "unsubscribe", "pingreq", "disconnect"],
  server: ["connack", "publish", "puback", "suback", "unsuback", "pingresp"],
} as const satisfies Readonly<Record<string, readonly PacketType[]>>;

const nothing = new Uint8Array();
const qosMask = 0x06;
/** The flag of a PUBLISH with an id, which wants a PUBACK. */
export const qos1 = 0x02;
const longestLength = 4;

/**
 * Cuts a stream of bytes into packets. It holds one incomplete packet at most, and refuses one that is longer than the limit
 * when its length is known, and one that its role does not send at its first byte.
 */
export class MqttReader {
  #types: readonly PacketType[];
  #limit: number;
  #data: Uint8Array = nothing;

  /** `limit`: the most bytes of a packet behind its fixed header. */
  constructor(types: readonly PacketType[], limit: number) {
    this.#types = types;
    this.#limit = limit;
  }

  /** The number of bytes that were not read yet. */
  get held(): number {
    return this.#data.byteLength;
  }

  /** Changes what is taken from now on. */
  expect(types: readonly PacketType[], limit: number): void {
    this.#types = types;
    this.#limit = limit;
  }

  /** Takes bytes from the network. Call `next` until it gives undefined, or `takeRest`. */
  push(chunk: Uint8Array): void {
    if (this.#data.byteLength === 0) this.#data = chunk;
    else {
      const joined = new Uint8Array(this.#data.byteLength + chunk.byteLength);
      joined.set(this.#data);
      joined.set(chunk, this.#data.byteLength);
      this.#data = joined;
    }
  }

  /** Gives the next packet, whose payload is part of the chunk. Undefined if it is not complete. Throws `bad-mqtt`. */
  next(): MqttPacket | undefined {
    const data = this.#data;
    const first = data[0];
    if (first === undefined) return undefined;
    const type = this.#typeOf(first);
    const length = readLength(data);
    if (length !== undefined && length.value > this.#limit)
      throw refuse("length", `a packet has at most ${this.#limit} bytes here, not ${length.value}`);
    const end = length === undefined ? Infinity : length.end + length.value;
    if (length === undefined || data.byteLength < end) {
      // The chunk is the network's. What is kept of it must not keep all of it.
      this.#data = data.slice();
      return undefined;
    }
    this.#data = data.byteLength === end ? nothing : data.subarray(end);
    return readPacket(type, first, new Fields(data.subarray(length.end, end)));
  }

  /** Gives the bytes that were not read yet, and forgets them. */
  takeRest(): Uint8Array {
    const rest = this.#data;
    this.#data = nothing;
    return rest;
  }

  #typeOf(first: number): PacketType {
    const isPublish = first >> 4 === firstBytes.publish >> 4 && (first & qosMask) <= qos1;
    const type = isPublish ? "publish" : types.get(first);
    if (type !== undefined && this.#types.includes(type)) return type;
    throw refuse("type", `the first byte is that of ${this.#types.join(", ")}, not 0x${first.toString(16)}`);
  }
}

/** Reads the remaining length and where it ends. Undefined if it is not complete. */
function readLength(data: Uint8Array): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = 1; at <= longestLength; at += 1) {
    const byte = data[at];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * (at - 1));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw refuse("length", `a length has at most ${longestLength} bytes`);
}

function readPacket(type: PacketType, first: number, fields: Fields): MqttPacket {
  switch (type) {
    case "connect":
      return readConnect(fields);
    case "connack":
      fields.byte("flags");
      return fields.end({ type, code: fields.byte("code") });
    case "publish": {
      const topic = fields.text("topic");
      const id = (first & qosMask) === qos1 ? fields.number("id") : undefined;
      return { type, topic, id, payload: fields.rest() };
    }
    case "subscribe": {
      const id = fields.number("id");
      let topics = 0;
      for (; fields.left > 0; topics += 1) {
        fields.bytes("topic");
        fields.byte("qos");
      }
      return { type, id, topics };
    }
    case "suback":
      return { type, id: fields.number("id"), topics: fields.rest().byteLength };
    case "unsubscribe": {
      const id = fields.number("id");
      while (fields.left > 0) fields.bytes("topic");
      return { type, id };
    }
    case "puback":
    case "unsuback":
      return fields.end({ type, id: fields.number("id") });
    default:
      return fields.end({ type });
  }
}

const levels = new Map([
  ["MQTT", 4],
  ["MQIsdp", 3],
]);
/** The flags of a CONNECT. */
export const connectFlags = { will: 0x04, password: 0x40, username: 0x80 } as const;

function readConnect(fields: Fields): MqttPacket {
  const known = levels.get(fields.text("protocol name")) === fields.byte("protocol level");
  const nobody = { type: "connect", client: "", username: "", password: "", keepalive: 0 } as const;
  if (!known) return { ...nobody, known };
  const flags = fields.byte("flags");
  const keepalive = fields.number("keepalive");
  const client = fields.text("client id");
  if (flags & connectFlags.will) {
    fields.bytes("will topic");
    fields.bytes("will message");
  }
  const username = flags & connectFlags.username ? fields.text("username") : "";
  const password = flags & connectFlags.password ? fields.text("password") : "";
  return fields.end({ type: "connect", known, client, username, password, keepalive });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The fields of one packet, in order. Throws `bad-mqtt` with the field's name. */
class Fields {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get left(): number {
    return this.#data.byteLength - this.#at;
  }

  byte(name: string): number {
    return this.#take(name, 1)[0]!;
  }

  number(name: string): number {
    const [high, low] = this.#take(name, 2);
    return high! * 256 + low!;
  }

  bytes(name: string): Uint8Array {
    return this.#take(name, this.number(name));
  }

  text(name: string): string {
    try {
      return decoder.decode(this.bytes(name));
    } catch (cause) {
      if (cause instanceof ProtocolError) throw cause;
      throw refuse(name, "must be UTF-8", { cause });
    }
  }

  rest(): Uint8Array {
    return this.#take("", this.left);
  }

  /** Gives the packet, if nothing follows its last field. */
  end(packet: MqttPacket): MqttPacket {
    if (this.left > 0) throw refuse("length", `${this.left} bytes follow the last field`);
    return packet;
  }

  #take(name: string, size: number): Uint8Array {
    if (size > this.left) throw refuse(name, `${size} bytes are announced, ${this.left} follow`);
    this.#at += size;
    return this.#data.subarray(this.#at - size, this.#at);
  }
}

function refuse(field: string, problem: string, options?: ErrorOptions): ProtocolError {
  return new ProtocolError("bad-mqtt", field, `MQTT: ${field}: ${problem}`, options);
}
