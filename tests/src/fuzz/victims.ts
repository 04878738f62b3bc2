import { setTimeout as sleep } from "node:timers/promises";
import { openTestDevice, type TestDevice } from "@voxbus/testing";

/** Devices that receive the bad messages and reconnect when they are closed. */
export interface Victims {
  /** Returns the open session of each device. */
  sessions(): ReadonlyMap<string, string>;
  close(): Promise<void>;
}

const backMs = 50;

/** Connects a number of victims. */
export async function connectVictims(url: string, number: number): Promise<Victims> {
  const sessions = new Map<string, string>();
  const open = new Map<string, TestDevice>();
  let closed = false;
  const comeBack = async (device: string): Promise<void> => {
    await sleep(backMs);
    if (!closed) await enter(device);
  };
  const enter = async (id: string): Promise<void> => {
    try {
      const device = await openTestDevice(url, { id, onReceived: () => undefined });
      open.set(id, device);
      sessions.set(id, device.session);
      // Gives the session some frames, whose seqs an origin can name.
      for (let times = 0; times < 20; times += 1) device.send({ type: "listen", state: "stop" });
      void device.closed.then(() => comeBack(id));
    } catch {
      void comeBack(id); // closed before its hello
    }
  };
  await Promise.all(Array.from({ length: number }, (_, at) => enter(`victim-${at}`)));
  return {
    sessions: () => sessions,
    async close() {
      closed = true;
      for (const device of open.values()) device.vanish();
    },
  };
}
