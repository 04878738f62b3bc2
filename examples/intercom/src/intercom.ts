import { z, type Context, type FromTurn, type Program } from "@voxbus/subscriber";
import { createCalls } from "./calls.ts";
import { carryVoice } from "./line.ts";

const seconds = (most: number) => z.coerce.number().min(0.1).max(most);

const intercomConfig = {
  VOXBUS_INTERCOM_RING_S: seconds(300).default(30).describe("longest time that a call rings, s"),
  VOXBUS_INTERCOM_TALK_S: seconds(86_400).default(600).describe("longest time of a call, s"),
};

/** The program intercom: its name and variables. */
export const intercom: Program<typeof intercomConfig> = { name: "intercom", config: intercomConfig };

/**
 * Lets two devices talk, on whichever gateways they are. The other user has to say yes first, and each of them may hang up. It
 * answers the turns of devices whose profile leaves them to a program (`engines.llm` is `none`).
 */
export async function buildIntercom(context: Context<typeof intercomConfig>): Promise<void> {
  const { config, on, send, reply, log, defer } = context;
  const [presence, profiles] = await Promise.all([context.presence(), context.profiles()]);
  const isOurs = (device: string) => profiles.of(device).engines.llm === "none";
  const calls = createCalls({
    ringMs: config.VOXBUS_INTERCOM_RING_S * 1000,
    talkMs: config.VOXBUS_INTERCOM_TALK_S * 1000,
    find(name) {
      const wanted = name.toLowerCase().replaceAll(" ", "-");
      const found = [...presence.devices()].map(([device]) => device);
      return found.find((device) => device.toLowerCase() === wanted && isOurs(device));
    },
    announce(device, text) {
      if (presence.online(device) === undefined) return;
      send.say(device, text).catch((err: unknown) => log.warn({ err, device }, "announcement failed"));
    },
    connect({ caller, callee }, signal) {
      log.info({ caller, callee }, "call connected");
      for (const [from, to] of [
        [caller, callee],
        [callee, caller],
      ] as const) {
        send.alert(to, `${from} is on the line.`, { status: "Call" });
        carryVoice(context, { from, to }, signal).catch((err: unknown) => {
          log.error({ err, from, to }, "line failed");
          calls.leave(from, "gone");
        });
      }
    },
  });
  defer(() => calls.close());

  const hear = async (text: string, from: FromTurn) => {
    if (!isOurs(from.device)) return;
    const answer = calls.hear(from.device, text);
    // A turn without an answer would end with an apology.
    await (answer === undefined ? reply(from).end() : reply(from).say(answer));
  };
  on.text((frame, from) => hear(frame.body, from));
  on.heard(async (heard, from) => {
    // Nothing waits for an answer to a noise.
    if (heard.reason !== "nothing-heard") await hear(heard.text, from);
  });
  // The button of a device aborts what it plays: here that is the call.
  on.control(({ body }, { device }) => {
    if (body.type === "abort") calls.leave(device, "hung-up");
  });
  const watch = presence.watch((device, now) => {
    if (now === undefined) calls.leave(device, "gone");
  });
  defer(() => watch.close());
}
