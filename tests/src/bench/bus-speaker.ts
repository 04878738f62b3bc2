import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { channels, encodeEnvelope, type Outbound } from "@voxbus/protocol";
import { answerParent } from "./child.ts";
import { frameBytes } from "./device.ts";

// Publishes whole replies at once, as a synthesizer that is far faster than the sound.
const nc = await connect({ servers: process.argv[2] ?? "" });
/** The time in which all devices begin, ms. */
const spreadMs = 1000;
let replies = 0;

/** Speaks one reply of `frames` packets to each device: numbered frames for a gateway, or bare packets. */
async function speak({ devices, frames, to }: { devices: readonly string[]; frames: number; to: "gateway" | "bare" }) {
  const begin = performance.now();
  for (const [at, device] of devices.entries()) {
    await sleep(begin + (at * spreadMs) / devices.length - performance.now());
    const packets = Array.from({ length: frames }, (_, n) => numberPacket(n));
    if (to === "bare") for (const packet of packets) nc.publish(`bare.${device}.out`, packet);
    else for (const frame of nameFrames(packets)) nc.publish(`device.${device}.out`, frame);
  }
  await nc.flush();
}

function nameFrames(packets: readonly Uint8Array[]): Uint8Array[] {
  replies += 1;
  const name = { reply: `bench-${replies}`, attempt: 1, sentence: 0 };
  const write = (frame: Outbound) => encodeEnvelope(channels.out.schema, frame);
  const subtitle = write({ ...name, n: 0, kind: "text", body: { type: "tts", state: "sentence_start", text: "" } });
  const audio = packets.map((body, at) => {
    const end = at === packets.length - 1 ? ({ end: "reply" } as const) : {};
    return write({ ...name, n: at + 1, kind: "audio", duration: 60, body, ...end });
  });
  return [subtitle, ...audio];
}

/** Makes a packet whose bytes 4 to 7 hold its number. */
function numberPacket(n: number): Uint8Array {
  const packet = Buffer.alloc(frameBytes, 0x18);
  packet.writeUInt32BE(n, 4);
  return packet;
}

answerParent({ speak });
