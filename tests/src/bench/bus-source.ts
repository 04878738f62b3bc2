import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, connectBus, type BusLog } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { answerParent } from "./child.ts";
import { frameBytes } from "./device.ts";
import { now } from "./numbers.ts";

// Publishes as a gateway does, and asks a real gateway for replays.
const ignore = () => undefined;
const log: BusLog = { info: ignore, warn: console.warn, error: console.error };
const bus = await connectBus({ VOXBUS_NATS_URL: process.argv[2] ?? "", VOXBUS_NATS_REPLICAS: 1 }, log);
const gateway = "bench-source";
const periodMs = 60;

/** Stores jobs at a steady rate and returns the time of each, by `seq` from 1. */
async function open({ device, count, everyMs }: { device: string; count: number; everyMs: number }) {
  const times: number[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    const body = { type: "listen", mode: "auto", gateway } as const;
    times.push(now());
    void bus.store(channels.inControlOpen(device), {
      session: device,
      seq,
      at: Date.now(),
      kind: "control",
      body,
    });
    await sleep(everyMs);
  }
  return times;
}

/** Publishes audio of many sessions, 16.7 frames/s each, with their phases spread. The last 8 bytes hold the time. */
async function speak(details: {
  subjectsOf: "in" | "stream";
  session: string;
  devices: readonly string[];
  seconds: number;
}) {
  const { devices, session } = details;
  const names = devices.map((device) => {
    const channel = channels.inAudio(device);
    return details.subjectsOf === "in" ? channel : { ...channel, subject: `bench.${device}` };
  });
  const body = new Uint8Array(frameBytes);
  const time = new DataView(body.buffer, frameBytes - 8);
  const begin = performance.now();
  let sent = 0;
  for (let at = begin; at < begin + details.seconds * 1000; await sleep(1), at = performance.now()) {
    for (; begin + (sent * periodMs) / devices.length <= at; sent += 1) {
      const device = sent % devices.length;
      const seq = Math.floor(sent / devices.length) + 1;
      time.setFloat64(0, now());
      const envelope = { session: `${session}-${device}`, seq, at: Date.now(), kind: "audio", body } as const;
      bus.publish(names[device]!, envelope);
    }
  }
  await bus.flush();
  return sent;
}

/** Asks for the frames of all sessions at once, in rounds. Returns the time of each round, ms, and the number of incomplete answers. */
async function replay(details: {
  gateway: string;
  sessions: readonly string[];
  frames: number;
  rounds: number;
}): Promise<{ times: number[]; short: number }> {
  const times: number[] = [];
  let short = 0;
  const ask = async (session: string) => {
    const request = { session, from: 2, to: details.frames + 1 };
    try {
      const { frames } = await bus.request(channels.replay(details.gateway), request);
      if (frames.length < details.frames) short += 1;
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      short += 1;
    }
  };
  for (let round = 0; round < details.rounds; round += 1) {
    const began = performance.now();
    await Promise.all(details.sessions.map(ask));
    times.push(performance.now() - began);
  }
  return { times, short };
}

answerParent({ open, speak, replay });
