import { connectFlags, firstBytes, qos1, type MqttPacket } from "./mqtt.ts";

const encoder = new TextEncoder();
const noBytes: readonly number[] = [];
const numberOf = (value: number) => [value >> 8, value & 0xff];

/** Writes one packet. A SUBSCRIBE has as many topics `#` as it tells, and a SUBACK grants QoS 0 for each. */
export function encodeMqtt(packet: MqttPacket): Uint8Array {
  switch (packet.type) {
    case "connect": {
      const { client, username, password, keepalive } = packet;
      const flags = 0x02 | (username ? connectFlags.username : 0) | (password ? connectFlags.password : 0);
      const texts = [client, ...(username ? [username] : []), ...(password ? [password] : [])];
      const body = [...lengthened("MQTT"), 4, flags, ...numberOf(keepalive), ...texts.flatMap(lengthened)];
      return wrap(firstBytes.connect, body);
    }
    case "connack":
      return wrap(firstBytes.connack, [0, packet.code]);
    case "publish": {
      const { topic, id, payload } = packet;
      const head = [...lengthened(topic), ...(id === undefined ? [] : numberOf(id))];
      return wrap(firstBytes.publish | (id === undefined ? 0 : qos1), head, payload);
    }
    case "subscribe":
      return wrap(firstBytes.subscribe, [...numberOf(packet.id), ...repeat(packet.topics, [...lengthened("#"), 0])]);
    case "suback":
      return wrap(firstBytes.suback, [...numberOf(packet.id), ...repeat(packet.topics, [0])]);
    case "unsubscribe":
      return wrap(firstBytes.unsubscribe, [...numberOf(packet.id), ...lengthened("#")]);
    case "puback":
    case "unsuback":
      return wrap(firstBytes[packet.type], numberOf(packet.id));
    default:
      return wrap(firstBytes[packet.type], noBytes);
  }
}

function repeat(times: number, bytes: readonly number[]): readonly number[] {
  return Array.from({ length: times }, () => bytes).flat();
}

function lengthened(text: string): readonly number[] {
  const bytes = encoder.encode(text);
  return [...numberOf(bytes.byteLength), ...bytes];
}

/** Puts the fixed header in front of a packet's fields and its payload. */
function wrap(first: number, fields: readonly number[], payload: Uint8Array = new Uint8Array()): Uint8Array {
  const length: number[] = [];
  for (let left = fields.length + payload.byteLength; left > 0 || length.length === 0; left >>= 7)
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
  const packet = new Uint8Array(1 + length.length + fields.length + payload.byteLength);
  packet.set([first, ...length, ...fields]);
  packet.set(payload, packet.byteLength - payload.byteLength);
  return packet;
}
