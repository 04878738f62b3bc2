import type { Context } from "@voxbus/subscriber";
import { openVoiceGate } from "./voice.ts";

/** Packets before the first voiced one that are sent too, so that no word loses its beginning. */
const leadPackets = 5;
/** Silence after which the other device may speak, in packets: about 0.7 s. */
const quietPackets = 12;

/**
 * Carries the voice of one device to another until the signal aborts. Around each stretch of speech the listening device gets
 * `tts` `start` and `stop`: a stock device plays sound only between the two, and its microphone may be off meanwhile. So such
 * devices speak in turns, and those with echo cancellation at the same time. Resolves at the end.
 */
export async function carryVoice(
  { mic, speaker, send }: Pick<Context, "mic" | "speaker" | "send">,
  { from, to }: { readonly from: string; readonly to: string },
  signal: AbortSignal,
): Promise<void> {
  const gate = openVoiceGate();
  const lead: Uint8Array[] = [];
  let sound: ReturnType<typeof speaker> | undefined;
  let quiet = 0;

  const open = async () => {
    send.text(to, { type: "tts", state: "start" });
    sound = speaker(to);
    for (const packet of lead.splice(0)) await sound.write(packet);
  };
  const close = async () => {
    await sound?.end();
    sound = undefined;
    send.text(to, { type: "tts", state: "stop" });
  };
  try {
    for await (const { body } of mic.opus(from, {}, signal)) {
      const isVoiced = gate.isVoiced(body);
      quiet = isVoiced ? 0 : quiet + 1;
      if (sound !== undefined) {
        await sound.write(body);
        if (quiet >= quietPackets) await close();
        continue;
      }
      lead.push(body);
      if (lead.length > leadPackets + 1) lead.shift();
      if (isVoiced) await open();
    }
  } finally {
    gate.close();
    if (sound !== undefined) await close();
  }
}
