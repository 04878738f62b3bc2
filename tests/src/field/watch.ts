import { channels, type Heard, stored, type TurnPlayed } from "@voxbus/protocol";
import { createInbox } from "@voxbus/testing";
import type { FieldDevice, FieldDeviceOptions } from "./device.ts";
import type { Outcome } from "./field-case.ts";
import { both, check } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

/** Connects a device, and collects its transcripts and the ends of its turns. */
export async function watch(stage: Stage, options?: FieldDeviceOptions) {
  const device = await stage.connect(options);
  const { id } = device;
  const turns = createInbox<TurnPlayed>();
  const heard = createInbox<Heard>();
  const subscriptions = [
    stage.bus.subscribe(channels.event(id), ({ turn }) => turn && turns.put(turn)),
    stage.bus.subscribe(stored(channels.heard(id)), (transcript) => heard.put(transcript)),
  ];
  stage.defer(() => subscriptions.forEach((subscription) => subscription.close()));
  await stage.bus.flush();
  return { device, nextTurn: () => turns.take(() => true), nextHeard: () => heard.take(() => true) };
}

/** Judges that a device got nothing between two typed questions but the second one's turn. */
export async function staysQuiet(device: FieldDevice): Promise<Outcome> {
  const before = device.messages().length;
  const { said } = await device.ask("still there");
  const got = device.messages().slice(before, -1);
  const strange = got.filter(({ type, text }) => type === "stt" && text !== "still there");
  return check(
    strange.length + said.length === 1 ? "went back to waiting" : `got ${JSON.stringify(got)}`,
    said.length === 1 && said[0] === "Fine." && strange.length === 0,
  );
}

/** Lets a recognizer answer with a transcript without words, and judges that nothing was heard. */
export async function hearNothing(stage: Stage, transcript: string): Promise<Outcome> {
  stage.server.script.transcribe = () => transcript;
  const { device, nextHeard } = await watch(stage);
  device.sendUtterance("sum");
  const { reason } = await nextHeard();
  return both(check(`heard: ${reason}`, reason === "nothing-heard"), await staysQuiet(device));
}
