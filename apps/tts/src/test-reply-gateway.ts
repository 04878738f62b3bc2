import { once, EventEmitter } from "node:events";
import type { Bus } from "@voxbus/bus";
import { channels, type Event, type InControl, type InControlFrame, type Outbound, type Say } from "@voxbus/protocol";

let devices = 0;

/** For tests: opens a new device at a gateway, which collects the frames of its replies and reports what happens to them. */
export function openReplyGateway(bus: Bus) {
  const device = `device-${++devices}`;
  const session = `session-${devices}`;
  const frames: Outbound[] = [];
  /** The signs of life: whether the work waits. */
  const signs: boolean[] = [];
  const arrived = new EventEmitter();
  const subscription = bus.subscribe(channels.out(device), (frame) => {
    if (frame.kind === "control" && frame.body.type === "working") signs.push(frame.body.waits ?? false);
    else {
      frames.push(frame);
      arrived.emit("frame");
    }
  });
  const until = async (found: (frames: readonly Outbound[]) => boolean) => {
    while (!found(frames)) await once(arrived, "frame", { signal: AbortSignal.timeout(10_000) });
    return frames;
  };
  const control = (body: InControl, seq = 9) =>
    bus.store(channels.inControl(device), {
      session,
      seq,
      at: 1,
      kind: "control",
      body,
    } satisfies InControlFrame);
  const played = (turn: { reply?: string; origin?: number }) =>
    bus.publish(channels.event(device), {
      session, at: 1, gateway: "g", turn: { ...turn, complete: true, fenced: 0, dropped: 0, late: 0 },
    } satisfies Event); // prettier-ignore
  const say = (fields: Partial<Say> & { text: string; sentence: number }) => {
    const message: Say = {
      session,
      origin: 5,
      reply: `reply-${device}`,
      attempt: 1,
      last: false,
      ...fields,
    };
    const subject = message.sentence === 0 ? channels.sayOpen(device) : channels.say(device);
    return bus.store(subject, message, { id: `${message.reply}:${message.sentence}` });
  };
  return {
    device,
    session,
    reply: `reply-${device}`,
    frames,
    signs,
    until,
    control,
    played,
    say,
    close: () => subscription.close(),
  };
}
