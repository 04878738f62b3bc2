import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpeech, loadSpeech, type TestDevice } from "@voxbus/testing";
import { plainHello } from "../faults/guests.ts";
import { makeFrame } from "../fuzz/tcp.ts";
import type { Attack, Scene } from "./attack.ts";
import { besiege, crowd, enter, pour, repeat } from "./tools.ts";

const attackers = 12;
const opcodes = { text: 1, binary: 2, ping: 9, pong: 10 } as const;
const times = (frame: Uint8Array, count: number) => Buffer.concat(Array.from({ length: count }, () => frame));
const textFrame = (message: object) => makeFrame(Buffer.from(JSON.stringify(message)), { opcode: opcodes.text });
const binaryFrame = (bytes: number) => makeFrame(Buffer.alloc(bytes, 0x55), { opcode: opcodes.binary });
const continuation = (fin: boolean) => makeFrame(new Uint8Array([0x20]), { opcode: 0, fin });
const listenStart = '{"type":"listen","state":"start","mode":"auto"}';

/** A text message in fragments of one byte. */
const fragments = Buffer.concat([
  makeFrame(new Uint8Array([0x22]), { opcode: opcodes.text, fin: false }),
  times(continuation(false), 400),
  continuation(true),
]);

/** Makes an attack in which 12 devices send the same frames over and over. */
const floodOf = (
  name: string,
  title: string,
  options: {
    readonly happens: string;
    readonly perSecond: number;
    readonly bytes: () => Uint8Array;
    /** Bytes that each device sends once, before the others. */
    readonly first?: Uint8Array;
    readonly quick?: boolean;
    readonly hello?: false;
    readonly count?: number;
  },
): Attack => ({
  name,
  title,
  happens: options.happens,
  quick: options.quick === true,
  run(scene) {
    const { count = attackers, perSecond, first, hello } = options;
    const bytes = options.bytes();
    const play = (device: TestDevice) => {
      if (first) device.writeRaw(first);
      return pour(scene, device, perSecond, bytes);
    };
    return besiege(scene, count, play, hello === false ? { hello } : {});
  },
});

/** Makes a map with many keys. */
const manyKeys = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, n) => [`k${n}`, 0]));
const mcp = (payload: object) => ({ type: "mcp", payload: { jsonrpc: "2.0", id: 1, result: payload } });

/** Types texts at a rate on each of four devices. */
const type = (perSecond: number, text: (index: number) => string) => (scene: Scene) =>
  besiege(scene, 4, (device) =>
    repeat(scene, perSecond, (index) => {
      if (!device.open) return false;
      device.send({ type: "listen", state: "detect", text: text(index) });
      scene.note("texts");
      return undefined;
    }),
  );

/** Sends audio at a rate in a listen. */
const talk = (packets: readonly Uint8Array[], perSecond: number) => (scene: Scene) =>
  besiege(scene, 8, (device) => {
    device.send(listenStart);
    return repeat(scene, perSecond, (index) => {
      if (!device.open) return false;
      device.send(packets[index % packets.length]!);
      scene.note("packets");
      return undefined;
    });
  });

/** Says goodbye and goes on sending within the budget. It never answers the Close frame, like stock devices. */
async function talkAfterClose(device: TestDevice): Promise<void> {
  device.pause();
  device.send({ type: "goodbye" });
  for (let n = 0; n < 9; n += 1) {
    device.writeRaw(times(binaryFrame(4000), 5));
    await sleep(30);
  }
  device.vanish();
}

/** Attacks with frames of devices that were let in. */
export const frameAttacks: readonly Attack[] = [
  floodOf("pong flood", "12 devices send 200,000 pongs a second each", {
    happens: "closed with 4004",
    perSecond: 100,
    bytes: () => times(makeFrame(new Uint8Array(0), { opcode: opcodes.pong }), 2000),
  }),
  floodOf("pongs, below the limit", "12 devices send 15 pongs a second each", {
    happens: "nothing",
    perSecond: 15,
    bytes: () => makeFrame(new Uint8Array(0), { opcode: opcodes.pong }),
  }),
  floodOf("ping flood", "12 devices send 200,000 pings a second each", {
    happens: "closed with 4004",
    perSecond: 100,
    bytes: () => times(makeFrame(new Uint8Array(0), { opcode: opcodes.ping }), 2000),
  }),
  floodOf("empty binary", "12 devices send 200,000 empty binary messages a second each", {
    happens: "closed with 4004",
    perSecond: 100,
    bytes: () => times(binaryFrame(0), 2000),
  }),
  floodOf("oversized binary", "12 devices send 500 binary messages of 60 KB a second each", {
    happens: "closed with 4004",
    perSecond: 100,
    bytes: () => times(binaryFrame(60_000), 5),
  }),
  floodOf("binary before hello", "12 devices send 50,000 packets a second each before a hello", {
    happens: "closed with 4004, or with 4000 after 10 s",
    perSecond: 100,
    hello: false,
    bytes: () => times(binaryFrame(100), 500),
  }),
  floodOf("tiny fragments", "12 devices send 200,000 fragments of one byte a second each", {
    happens: "closed with 4004",
    perSecond: 50,
    bytes: () => times(fragments, 10),
  }),
  floodOf("empty fragments", "12 devices send a message of empty fragments without an end", {
    happens: "closed with 4004",
    perSecond: 50,
    first: makeFrame(new Uint8Array([0x22]), { opcode: opcodes.text, fin: false }),
    bytes: () => times(makeFrame(new Uint8Array(0), { opcode: 0, fin: false }), 4000),
  }),
  floodOf("text flood", "12 devices send 200 JSON messages a second each", {
    happens: "closed with 4004",
    perSecond: 20,
    quick: true,
    bytes: () => times(textFrame({ type: "ping" }), 10),
  }),
  floodOf("texts, below the limit", "12 devices send 18 JSON messages a second each", {
    happens: "each is answered",
    perSecond: 18,
    quick: true,
    bytes: () => textFrame({ type: "ping" }),
  }),
  floodOf("bad texts, below the limit", "12 devices send 18 texts of 60 KB a second each that are not JSON", {
    happens: "dropped as `malformed` before they are parsed",
    perSecond: 18,
    bytes: () => makeFrame(Buffer.alloc(60_000, "["), { opcode: opcodes.text }),
  }),
  floodOf("mcp of 52 KB", "4 devices send 18 mcp messages of 52 KB with 5,300 keys a second each", {
    happens: "dropped as `malformed` before they are parsed",
    perSecond: 18,
    count: 4,
    bytes: () => textFrame(mcp(manyKeys(5300))),
  }),
  floodOf("mcp, below the limit", "4 devices send 18 mcp messages of 14 KB with 1,500 keys a second each", {
    happens: "published, or dropped within the budget",
    perSecond: 18,
    count: 4,
    bytes: () => textFrame(mcp(manyKeys(1500))),
  }),
  floodOf("iot, below the limit", "4 devices send 18 iot messages of 14 KB with 1,500 keys a second each", {
    happens: "published, or dropped within the budget",
    perSecond: 18,
    count: 4,
    bytes: () => textFrame({ type: "iot", update: true, states: [{ name: "Lamp", state: manyKeys(1500) }] }),
  }),
  {
    name: "large features",
    title: "450 hellos with features of 54 KB, and 450 with 7 KB",
    happens: "hellos over 8 KiB are dropped; of the others only known features are kept",
    leastMs: 30_000,
    run: (scene) =>
      crowd(scene, { atOnce: 8, count: scene.scale(900) }, async (index) => {
        const hello = { type: "hello", version: 1, transport: "websocket", features: manyKeys(index % 2 ? 5500 : 780) };
        // The session stays for a moment, so that everyone who watches presence sees it.
        const device = await enter(scene, { id: `attacker-features-${index}`, hello: index % 2 ? false : hello });
        if (index % 2) device?.send(hello);
        scene.note("hellos");
        await sleep(200);
        device?.vanish();
      }),
  },
  {
    name: "typed texts at the budget",
    title: "4 devices type 18 short texts a second each",
    happens: "turns beyond the budget are refused",
    leastMs: 120_000,
    run: type(18, (index) => `what is ${index % 90} plus ${index % 7}`),
  },
  {
    name: "typed texts, few",
    title: "4 devices type 19 texts a minute each, of the longest kind",
    happens: "answered, cut to the limit",
    leastMs: 60_000,
    run: type(19 / 60, (index) => `what is ${index} plus ${index}? ${"I mean it. ".repeat(360)}`),
  },
  {
    name: "silent tools",
    title: "8 devices announce MCP, never answer, and ask",
    happens: "asked for their tools once; answered without them",
    leastMs: 30_000,
    run: (scene) => {
      const hello = { ...plainHello, features: { mcp: true } };
      const play = (device: TestDevice) =>
        repeat(scene, 1 / 4, () => {
          if (!device.open) return false;
          device.send({ type: "listen", state: "detect", text: "what is 3 plus 4" });
          return undefined;
        });
      return besiege(scene, 8, play, { hello });
    },
  },
  {
    name: "speech at the budget",
    title: "8 devices send speech at 95 packets a second each",
    happens: "recognized",
    leastMs: 30_000,
    run: (scene) => talk(encodeSpeech(loadSpeech("hello")), 95)(scene),
  },
  {
    name: "bytes at the budget",
    title: "8 devices send 63 KB of noise a second each as audio, in packets of 8,000 bytes",
    happens: "dropped as `malformed` by asr",
    run: talk([Buffer.alloc(8000, 0x57)], 63_000 / 8000),
  },
  {
    name: "audio above the budget",
    title: "8 devices send 2,000 packets a second each",
    happens: "dropped as `rate`; closed with 4004 after 10 s",
    run: talk([Buffer.alloc(120, 0x57)], 2000),
  },
  {
    name: "listens without speech",
    title: "12 devices start and stop a listen 9 times a second each",
    happens: "each listen ends without a transcript",
    run: (scene) =>
      besiege(scene, attackers, (device) =>
        repeat(scene, 18, (index) => {
          if (!device.open) return false;
          device.send(index % 2 ? '{"type":"listen","state":"stop"}' : listenStart);
          return undefined;
        }),
      ),
  },
  {
    name: "aborts",
    title: "12 devices ask and abort 9 times a second each",
    happens: "each answer is cut",
    run: (scene) =>
      besiege(scene, attackers, (device) =>
        repeat(scene, 18, (index) => {
          if (!device.open) return false;
          device.send(index % 2 ? { type: "abort" } : { type: "listen", state: "detect", text: "tell me a story" });
          return undefined;
        }),
      ),
  },
  {
    name: "frames after Close",
    title: "2,300 devices say goodbye and go on sending, 180 KB each",
    happens: "nothing of them is accepted or kept",
    quick: true,
    leastMs: 60_000,
    run: (scene) =>
      crowd(scene, { atOnce: 16, count: scene.scale(2300) }, async () => {
        const device = await enter(scene);
        if (device) await talkAfterClose(device);
        scene.note("devices");
      }),
  },
];
