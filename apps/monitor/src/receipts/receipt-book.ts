import { receiptReportMs, type TurnOutcome } from "@voxbus/protocol";
import type { ApiEvent } from "../events/api-event.ts";

/** How one device took what it was sent, each with its meaning. */
export const receiptResults = {
  waiting: "nothing is known yet",
  delivered: "the device was idle, and answered",
  unanswered: "the device was idle, and did not answer within 5 s, or was just woken",
  expired: "its session ended before it answered",
  spoken: "the device had a conversation, and spoke it to its end",
  "not-spoken": "it was not spoken to its end; `outcome` tells why",
  sent: "it was passed on to a device that gives no receipt: one in a conversation, or without tools",
} as const;
export type ReceiptResult = keyof typeof receiptResults;

/** The receipt of one device. */
export interface DeviceReceipt {
  readonly device: string;
  readonly result: ReceiptResult;
  /** How the announcement ended, if it was to be spoken. */
  readonly outcome?: TurnOutcome;
}

/** The receipts of what devices were sent lately. */
export interface ReceiptBook {
  /**
   * Notes what is about to be sent: the devices that give a receipt, and those that do not. If nothing is known of one
   * after `ms`, it counts as `unanswered`.
   */
  open(id: string, awaited: Iterable<string>, others?: Iterable<string>, ms?: number): void;
  /** Notes what an event tells, also of what another monitor sent. */
  note(event: ApiEvent): void;
  /** The receipts of an id. Undefined if it is unknown, or forgotten. */
  read(id: string): readonly DeviceReceipt[] | undefined;
  /** Resolves with the receipts when none is awaited any more, at the latest after `ms` or when one of `signals` aborts. */
  wait(id: string, ms: number, ...signals: readonly AbortSignal[]): Promise<readonly DeviceReceipt[] | undefined>;
}

/** The time for which receipts are kept, ms. */
export const keptMs = 600_000;
/** The most ids and devices whose receipts are kept. Beyond, the oldest are forgotten. */
const most = { ids: 10_000, devices: 200_000 } as const;
/** The time until a wait looks for receipts that came too late, and for an id that is not known yet, ms. */
const lookMs = 200;

type Known = Omit<DeviceReceipt, "device">;

interface Entry {
  readonly at: number;
  /** The receipt of each device. After `until`, one that is awaited counts as unanswered. */
  readonly devices: Map<string, { readonly known: Known; readonly until: number }>;
  waiting: number;
  /** Called when none is awaited any more. */
  readonly ended: Set<() => void>;
}

/** Names the reply of an announcement to many devices for one of them. */
export function nameReply(id: string, index: number): string {
  return `${id}-${index}`;
}

/** Creates the book. `givesReceipts` tells whether a device that is idle answers. `now` in ms. */
export function createReceiptBook(
  givesReceipts: (device: string) => boolean,
  now: () => number = () => performance.now(),
): ReceiptBook {
  const { change, find, look, forgetOld } = createEntries(now);

  const read = (id: string) => {
    const entry = look(id);
    return entry && [...entry.devices].map(([device, { known }]) => ({ device, ...known }));
  };
  /** Notes the end of an announcement. */
  const ended = (device: string, reply: string, outcome: TurnOutcome) => {
    const entry = find(reply);
    if (outcome !== "no-channel") {
      const result = outcome === "played" ? "spoken" : "not-spoken";
      return change(entry, device, { result, outcome });
    }
    // It was shown, and the receipt follows.
    const { result = "waiting" } = entry.devices.get(device)?.known ?? {};
    if (result !== "waiting") return;
    if (givesReceipts(device)) change(entry, device, { result }, now() + receiptReportMs);
    else change(entry, device, { result: "sent" });
  };

  return {
    read,
    open(id, awaited, others = [], ms = Infinity) {
      const entry = find(id);
      for (const device of awaited) change(entry, device, { result: "waiting" }, now() + ms);
      for (const device of others) change(entry, device, { result: "sent" });
      forgetOld();
    },
    note(event) {
      if (event.kind === "receipt" && event.reply !== undefined)
        change(find(event.reply), event.device, { result: event.result });
      else if (event.kind === "turn" && event.origin === undefined && event.reply !== undefined)
        ended(event.device, event.reply, event.outcome);
      else return;
      forgetOld();
    },
    async wait(id, ms, ...signals) {
      const until = now() + ms;
      for (;;) {
        const entry = look(id);
        const left = until - now();
        if (entry?.waiting === 0 || left <= 0 || signals.some(({ aborted }) => aborted)) return read(id);
        await nextLook(entry, Math.min(lookMs, left), signals);
      }
    },
  };
}

/** Creates the entries of a book. `now` in ms. */
function createEntries(now: () => number) {
  /** The oldest first. */
  const entries = new Map<string, Entry>();
  let devices = 0;

  const forgetOld = () => {
    for (const [id, entry] of entries) {
      if (now() < entry.at + keptMs && entries.size <= most.ids && devices <= most.devices) return;
      entries.delete(id);
      devices -= entry.devices.size;
    }
  };
  const change = (entry: Entry, device: string, known: Known, until = Infinity) => {
    const before = entry.devices.get(device);
    if (before === undefined) devices += 1;
    if (before?.known.result === "waiting") entry.waiting -= 1;
    if (known.result === "waiting") entry.waiting += 1;
    entry.devices.set(device, { known, until });
    if (entry.waiting === 0) for (const end of entry.ended) end();
  };
  return {
    forgetOld,
    change,
    find(reply: string): Entry {
      const id = idOf(reply);
      const found = entries.get(id) ?? { at: now(), devices: new Map(), waiting: 0, ended: new Set() };
      entries.set(id, found);
      return found;
    },
    /** Finds an entry, and settles what came too late. */
    look(reply: string): Entry | undefined {
      forgetOld();
      const entry = entries.get(idOf(reply));
      if (entry !== undefined && entry.waiting > 0)
        for (const [device, { known, until }] of entry.devices)
          if (known.result === "waiting" && now() >= until) change(entry, device, { result: "unanswered" });
      return entry;
    },
  };
}

/** Resolves when an entry awaits nothing any more, after `ms`, or when one of `signals` aborts. */
function nextLook(entry: Entry | undefined, ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    // AbortSignal.any would leave something behind on a long-lived signal with each look.
    const end = () => {
      clearTimeout(timer);
      entry?.ended.delete(end);
      for (const signal of signals) signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    entry?.ended.add(end);
    for (const signal of signals) signal.addEventListener("abort", end);
  });
}

/** The id of what was sent to one device, or to many with a reply for each. Other programs name replies as they like. */
function idOf(reply: string): string {
  return reply.replace(/^([0-9A-HJKMNP-TV-Z]{26})-\d+$/, "$1");
}
