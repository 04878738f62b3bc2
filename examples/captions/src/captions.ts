import { z, type Context, type Program } from "@voxbus/subscriber";
import { createScreen, type Output } from "./screen.ts";

const captionsConfig = {
  VOXBUS_CAPTIONS_DEVICE: z.string().optional().describe("caption this device only; unset: every device"),
};

/** The program captions: its name and variables. */
export const captions: Program<typeof captionsConfig> = { name: "captions", config: captionsConfig };

/** Notes for speech without a transcript, by the reason of `heard`. Noise has none. */
const notes: Readonly<Record<string, string>> = {
  unrecognized: "(not understood)",
  failed: "(recognition failed)",
};

/**
 * Shows what users say while they say it, and what their devices answer. It prints what people say, so it is for people who
 * may read that. The log has none of it.
 */
export function buildCaptions({ config, on, fail }: Context<typeof captionsConfig>, output: Output): void {
  const where = { device: config.VOXBUS_CAPTIONS_DEVICE };
  const screen = createScreen(output, () => fail(new Error("the output was closed")));
  on.partial((heard, { device }) => screen.draft(device, heard.text), where);
  on.heard(({ text, reason = "" }, { device }) => screen.line(device, ">", text || (notes[reason] ?? "")), where);
  on.text((frame, { device }) => screen.line(device, ">", frame.body), where);
  on.say((say, { device }) => screen.line(device, "<", say.text), where);
  on.event(({ turn }, { device }) => {
    if (turn?.reason === "fenced") screen.line(device, "<", "(interrupted)");
  }, where);
}
