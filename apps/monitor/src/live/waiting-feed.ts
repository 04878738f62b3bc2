import type { WaitingDevices } from "../registry/waiting-devices.ts";
import type { SendEvent } from "./live.ts";

/** The most waiting devices that the page shows: the newest. */
const maxWaiting = 100;

/** Feeds the devices that wait for an operator to streams. */
export interface WaitingFeed {
  sendAll(send: SendEvent): void;
  /** Sends all of them if any has changed since the last call. */
  sendChanges(send: SendEvent): void;
}

/** Creates the feed. */
export function createWaitingFeed(waiting: Pick<WaitingDevices, "list">): WaitingFeed {
  let sent = "[]";
  const read = () => waiting.list().slice(0, maxWaiting);
  return {
    sendAll: (send) => send("waiting", read()),
    sendChanges(send) {
      const now = read();
      const text = JSON.stringify(now);
      if (text !== sent) send("waiting", now);
      sent = text;
    },
  };
}
