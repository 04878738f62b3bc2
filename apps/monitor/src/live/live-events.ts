import type { Presence } from "@voxbus/protocol";
import type { Closer, On } from "@voxbus/subscriber";
import type { KnownDevices } from "../registry/known-devices.ts";
import type { WaitingDevices } from "../registry/waiting-devices.ts";
import { createDeviceViews } from "./device-views.ts";
import { createKnownFeed } from "./known-feed.ts";
import type { GatewayAddress, Hello, Point, SendEvent } from "./live.ts";
import { readNumbers, type NumbersParts } from "./numbers.ts";
import { createWaitingFeed } from "./waiting-feed.ts";
import { watchDevice } from "./watch-device.ts";

/** The time between two changes of presence in a stream [ms]. */
const changesMs = 500;
/** The time between two sets of numbers, which are also kept for the charts [ms]. */
const numbersMs = 3000;
/** Half an hour of points. */
const maxPoints = 600;
const devicesOfEvent = 500;

/** Streams of live events, each until it is closed. */
export interface Live extends Closer {
  /** Streams the whole fleet: its devices, and the numbers. */
  fleet(send: SendEvent): Closer;
  /** Streams one device, online or not. */
  device(id: string, send: SendEvent): Closer;
}

/** Dependencies of the streams. */
export interface LiveParts extends NumbersParts {
  readonly on: On;
  readonly known: KnownDevices;
  readonly waiting: Pick<WaitingDevices, "list">;
  /** The constant part of the first event. */
  readonly shown: Pick<Hello, "transcripts" | "traces" | "assistant" | "thresholds">;
  /** The device WebSocket, if the operator configured it. */
  readonly publicUrl: string | undefined;
}

/** Creates the streams. */
export function createLive(parts: LiveParts): Live {
  const { presence, turns } = parts;
  const views = createDeviceViews(parts);
  const known = createKnownFeed(parts.known);
  const waiting = createWaitingFeed(parts.waiting);
  const fleet = new Set<SendEvent>();
  const history: Point[] = [];
  let helloSent = "[]";

  const hello = (): Hello => ({ ...parts.shown, gateways: listGateways(parts) });
  const sendAll: SendEvent = (name, data) => fleet.forEach((send) => send(name, data));
  const sendChanges = () => {
    const changes = views.takeChanges();
    if (changes.put.length > 0 || changes.gone.length > 0) sendAll("devices", changes);
    known.sendChanges(sendAll);
    waiting.sendChanges(sendAll);
  };
  const sendNumbers = () => {
    const numbers = readNumbers(parts);
    const { at, online, rates, latencies } = numbers;
    history.push({ at, online, rates, latencies });
    if (history.length > maxPoints) history.shift();
    const current = hello();
    const gateways = JSON.stringify(current.gateways);
    if (gateways !== helloSent) sendAll("hello", current);
    helloSent = gateways;
    sendAll("numbers", numbers);
  };
  const timers = [
    setInterval(() => void (fleet.size > 0 && sendChanges()), changesMs),
    setInterval(sendNumbers, numbersMs),
  ];

  return {
    fleet(send) {
      send("hello", hello());
      send("history", history);
      send("numbers", readNumbers(parts));
      sendChanges();
      const all = views.all();
      for (let from = 0; from === 0 || from < all.length; from += devicesOfEvent) {
        send("devices", { reset: from === 0, put: all.slice(from, from + devicesOfEvent), gone: [] });
      }
      known.sendAll(send);
      waiting.sendAll(send);
      fleet.add(send);
      return { close: () => void fleet.delete(send) };
    },
    device(id, send) {
      let sent: Presence | undefined;
      let last: unknown;
      const sendDevice = () => {
        const found = presence.online(id);
        [sent, last] = [found, turns.last(id)];
        send("device", { id, ...(found ? { device: views.view(id, found) } : {}) });
      };
      send("hello", hello());
      sendDevice();
      for (const turn of turns.recent(id)) send("turn", turn);
      const watching = watchDevice(parts, id, {
        turn: (turn) => send("turn", turn),
        activity: (activity) => send("activity", activity),
      });
      const timer = setInterval(() => {
        if (presence.online(id) !== sent || turns.last(id) !== last) sendDevice();
      }, changesMs);
      return {
        close() {
          clearInterval(timer);
          watching.close();
        },
      };
    },
    close() {
      for (const feed of [views, known]) feed.close();
      for (const timer of timers) clearInterval(timer);
    },
  };
}

/** The gateways that take devices. */
function listGateways({ presence, publicUrl }: LiveParts): readonly GatewayAddress[] {
  return presence
    .gateways()
    .filter(({ draining }) => !draining)
    .map(({ id, address, url = publicUrl }) => ({ gateway: id, address, ...(url ? { url } : {}) }));
}
