import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../errors.ts";
import { encodeMqtt } from "./mqtt-writer.ts";
import { MqttReader, mqttRoles, type MqttPacket } from "./mqtt.ts";

const limit = 2048;
const everything = [...mqttRoles.connecting, ...mqttRoles.client, ...mqttRoles.server];
const number = fc.nat(0xffff);
const text = fc.string({ maxLength: 40, unit: "grapheme" });
const payload = fc.uint8Array({ maxLength: 300 });

const packet: fc.Arbitrary<MqttPacket> = fc.oneof(
  fc
    .record({ client: text, username: text, password: text, keepalive: number })
    .map((fields) => ({ type: "connect" as const, known: true, ...fields })),
  fc.record({ type: fc.constant("connack" as const), code: fc.nat(255) }),
  fc.record({ type: fc.constant("publish" as const), topic: text, id: fc.option(number, { nil: undefined }), payload }),
  fc.record({ type: fc.constantFrom("subscribe" as const, "suback" as const), id: number, topics: fc.nat(20) }),
  fc.record({ type: fc.constantFrom("puback" as const, "unsubscribe" as const, "unsuback" as const), id: number }),
  fc.record({ type: fc.constantFrom("pingreq" as const, "pingresp" as const, "disconnect" as const) }),
);

/** Reads chunks as a connection does. Gives the packets, and the error that ended the reading. */
function read(chunks: readonly Uint8Array[], types: readonly MqttPacket["type"][] = everything) {
  const reader = new MqttReader(types, limit);
  const packets: MqttPacket[] = [];
  let most = 0;
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let next = reader.next(); next !== undefined; next = reader.next())
        packets.push(next.type === "publish" ? { ...next, payload: next.payload.slice() } : next);
      most = Math.max(most, reader.held);
    }
    return { packets, most, error: undefined };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { packets, most, error: error.message };
  }
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength].toSorted((a, b) => a - b);
  return places.map((to, i) => bytes.slice(places[i - 1] ?? 0, to));
}

const cuts = fc.array(fc.nat(10_000), { maxLength: 12 });
/** Bytes that are often almost packets. */
const bytes = fc
  .array(fc.oneof(packet.map(encodeMqtt), fc.uint8Array({ maxLength: 20 })), { maxLength: 6 })
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

describe("the reader", () => {
  it("reads what the writer wrote, however the network cuts it", () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 5 }), cuts, (packets, cut) => {
        const written = Uint8Array.from(packets.flatMap((one) => [...encodeMqtt(one)]));
        expect(read(split(written, cut))).toMatchObject({ packets, error: undefined });
      }),
    );
  });

  it("gives the same packets and the same error for every split of any bytes, and holds no more than its limit", () => {
    fc.assert(
      fc.property(bytes, cuts, (data, cut) => {
        const whole = read([data]);
        const parts = read(split(data, cut));
        expect({ packets: parts.packets, error: parts.error }).toEqual({ packets: whole.packets, error: whole.error });
        expect(parts.most).toBeLessThanOrEqual(limit + 5);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a CONNECT of 200 MB, when its length is known", "1080 84af5f"],
    ["another packet before CONNECT, at its first byte", "30"],
    ["HTTP, at its first byte", "47"],
    ["TLS, at its first byte", "16"],
    ["a length of five bytes", "10ffffffff"],
    ["a text that is longer than its packet", "100400ff4d51"],
    ["bytes behind the last field", "100e00044d515454040200ff000100ff00"],
  ])("refuses %s", (_what, hex) => {
    expect(read([Buffer.from(hex.replaceAll(" ", ""), "hex")], mqttRoles.connecting).error).toMatch(/^MQTT: /);
  });

  it("refuses what MQTT for devices does not need: QoS 2, a second CONNECT, PUBREL", () => {
    for (const first of [0x34, 0x10, 0x62]) expect(read([Uint8Array.of(first)], mqttRoles.client).error).toBeDefined();
  });

  it("knows MQTT 3.1 and 3.1.1, and tells any other version", () => {
    const connect = (name: string, level: number) => [
      0x10, name.length + 9, 0, name.length, ...Buffer.from(name), level, 2, 0, 60, 0, 1, 0x61,
    ]; // prettier-ignore
    const known = (name: string, level: number) => {
      const [first] = read([Uint8Array.from(connect(name, level))]).packets;
      return first?.type === "connect" && first.known;
    };
    expect(known("MQTT", 4)).toBe(true);
    expect(known("MQIsdp", 3)).toBe(true);
    expect(known("MQTT", 5)).toBe(false);
  });

  it("reads over a will", () => {
    const will = Buffer.from("1018 00044d515454 04 06 003c 000161 000474697070 0003627965".replaceAll(" ", ""), "hex");
    expect(read([will]).packets).toMatchObject([{ type: "connect", client: "a", keepalive: 60 }]);
  });
});
