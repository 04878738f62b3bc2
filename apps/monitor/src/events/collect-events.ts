import type { PresenceView } from "@voxbus/presence";
import { buckets, channels, outcomeOf, type KeptMessages, type Presence } from "@voxbus/protocol";
import { isWaiting, type Bus, type Closer, type On } from "@voxbus/subscriber";
import { alertEvent, type ApiEvent } from "./api-event.ts";
import type { RunbookLink } from "./runbook.ts";

const gatewaysMs = 1000;

/** Dependencies of the events. */
export interface CollectDeps {
  readonly bus: Bus;
  readonly on: On;
  readonly presence: PresenceView;
  /** True if the events may tell what people say. */
  readonly transcripts: boolean;
  readonly runbook: RunbookLink;
  readonly happened: (event: ApiEvent) => void;
}

/** Calls `happened` with everything that happens from now on, until it is closed. */
export async function collectEvents(deps: CollectDeps): Promise<Closer> {
  const { bus, on, transcripts, runbook, happened } = deps;
  const kept = await watchKept(deps);
  const closers = [
    kept,
    watchDevices(deps),
    watchGateways(deps),
    on.heard(({ session, origin, language, text }, { device }) => {
      if (text === "") return;
      const key = `heard-${session}-${origin}`;
      const words = transcripts ? { text } : {};
      happened({ kind: "heard", key, at: Date.now(), device, session, origin, language, ...words });
    }),
    on.event(({ session, gateway, at, turn, receipt }, { device }) => {
      if (receipt) {
        const key = `receipt-${session}-${receipt.reply ?? at}`;
        happened({ kind: "receipt", key, at: Date.now(), device, session, gateway, ...receipt });
      }
      if (turn === undefined) return;
      const { origin, reply, firstAudio } = turn;
      happened({
        kind: "turn",
        key: `turn-${session}-${origin ?? reply ?? ""}`,
        at: Date.now(),
        device,
        session,
        gateway,
        outcome: outcomeOf(turn),
        ...(origin !== undefined && { origin }),
        ...(reply !== undefined && { reply }),
        ...(firstAudio !== undefined && { firstAudio: Math.round(firstAudio) }),
      });
    }),
    bus.subscribe(channels.alert("*"), (step) => happened(alertEvent(step, runbook))),
  ];
  return { close: () => closers.forEach((closer) => closer.close()) };
}

/** Tells which devices come online and go offline. Those that are online at the start are no news. */
function watchDevices({ presence, happened }: CollectDeps): Closer {
  const known = new Map<string, Presence>(presence.devices());
  return presence.watch((device, now) => {
    const before = known.get(device);
    if (now?.session === before?.session) return;
    const tell = (kind: "device-online" | "device-offline", { session, gateway }: Presence) =>
      happened({ kind, key: `${kind}-${session}`, at: Date.now(), device, session, gateway });
    if (before) tell("device-offline", before);
    if (now) tell("device-online", now);
    if (now) known.set(device, now);
    else known.delete(device);
  });
}

/** Tells which gateways come, drain and go. */
function watchGateways({ presence, happened }: CollectDeps): Closer {
  const read = () =>
    new Map(presence.gateways().map(({ id, epoch, draining }) => [`${id}-${epoch}`, { gateway: id, draining }]));
  let known = read();
  const tell = (name: string, gateway: string, state: "up" | "draining" | "down") =>
    happened({ kind: "gateway", key: `gateway-${name}-${state}`, at: Date.now(), gateway, state });
  const compare = () => {
    const now = read();
    for (const [name, { gateway }] of known) if (!now.has(name)) tell(name, gateway, "down");
    for (const [name, { gateway, draining }] of now) {
      if (!known.has(name)) tell(name, gateway, "up");
      if (draining && known.get(name)?.draining !== true) tell(name, gateway, "draining");
    }
    known = now;
  };
  const timer = setInterval(compare, gatewaysMs);
  return { close: () => clearInterval(timer) };
}

/** Tells which kept announcements were told, or have expired. */
async function watchKept({ bus, happened }: CollectDeps): Promise<Closer> {
  const waiting = new Map<string, ReadonlySet<string>>();
  const read = (device: string, messages: KeptMessages["messages"]) => {
    for (const { id, state } of messages) {
      if (state === "waiting" || !waiting.get(device)?.has(id)) continue;
      happened({ kind: "message", key: `message-${id}-${state}`, at: Date.now(), device, message: id, state });
    }
    const left = messages.filter(isWaiting).map(({ id }) => id);
    if (left.length > 0) waiting.set(device, new Set(left));
    else waiting.delete(device);
  };
  return await bus.bucket(buckets.kept).watch((device, entry) => read(device, entry?.value?.messages ?? []));
}
