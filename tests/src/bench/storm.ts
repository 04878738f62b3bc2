import { setTimeout as sleep } from "node:timers/promises";
import { answerParent } from "./child.ts";
import type { Greeting, LoadDevice } from "./device.ts";
import { now } from "./numbers.ts";
import { openLoadDevice, openPatiently } from "./open-device.ts";

/** Devices that connect all at once. Times in ms. */
export interface StormResult {
  /** From the start of the storm until each device was back, its refused attempts included. */
  readonly back: readonly number[];
  /** From the start of each device's last attempt to its hello, or to the end of the upgrade without one. */
  readonly hellos: readonly number[];
  readonly refused: number;
}

/** The wait after a refusal, as the fleet of the simulator waits: 0.2 to 2 s, twice as long after each further one. */
const shortestMs = 200;
const spreadMs = 1800;
const longestMs = 30_000;
const atOnce = 100;

/** Gives a device its own loopback address, as homes have: servers limit the connections of one address. */
function addressOf(at: number): string {
  return `127.1.${at >> 8}.${at & 0xff}`;
}

let devices: LoadDevice[] = [];
let closed = 0;

interface Target {
  readonly url: string;
  readonly prefix: string;
  readonly count: number;
  readonly greeting: Greeting;
}

/** Opens devices, a few at a time. */
async function connect({ url, prefix, count, greeting }: Target): Promise<void> {
  while (devices.length < count) {
    const first = devices.length;
    const opening = Array.from({ length: Math.min(atOnce, count - first) }, (_, at) =>
      openPatiently(new URL(url), `${prefix}${first + at}`, greeting, addressOf(first + at)),
    );
    devices.push(...(await Promise.all(opening)));
  }
}

/** Drops every connection, as when an access point fails, and connects all devices again at the same moment. */
async function storm({ url, prefix, count, greeting }: Target): Promise<StormResult> {
  for (const device of devices) device.close();
  await sleep(100);
  const target = new URL(url);
  const began = performance.now();
  let refused = 0;
  const hellos: number[] = [];
  const back: number[] = [];
  const open = async (at: number): Promise<LoadDevice> => {
    for (let refusals = 0; ; refusals += 1) {
      const attempt = performance.now();
      try {
        const device = await openLoadDevice(target, `${prefix}${at}`, greeting, addressOf(at));
        hellos.push(performance.now() - attempt);
        back.push(performance.now() - began);
        return device;
      } catch {
        refused += 1;
      }
      await sleep(Math.min(longestMs, (shortestMs + Math.random() * spreadMs) * 2 ** refusals));
    }
  };
  devices = await Promise.all(Array.from({ length: count }, (_, at) => open(at)));
  return { back, hellos, refused };
}

let arrivals: number[] = [];

/** Begins to note the arrival of text messages. */
function listen(): void {
  arrivals = [];
  closed = 0;
  for (const device of devices) {
    device.onText = () => void arrivals.push(now());
    device.onClose = () => (closed += 1);
  }
}

/** Gives the arrivals since `listen`, ms of the machine's clock. Throws if connections were closed. */
function listened(): readonly number[] {
  if (closed > 0) throw new Error(`the server closed ${closed} of ${devices.length} connections`);
  return arrivals;
}

answerParent({ connect, storm, listen, listened, count: () => arrivals.length });
