import {
  Emotion,
  fitsDevice,
  language,
  maxDeviceTextBytes,
  ServerCustom,
  ServerIot,
  ServerNotify,
  ServerSystem,
} from "@voxbus/protocol";
import { z } from "zod";

const tooLong = { message: `must be at most ${maxDeviceTextBytes} bytes of JSON, with the session's id` };

const Shown = z
  .looseObject({
    type: z.literal("alert"),
    status: z.string().default("Message"),
    message: z.string().min(1),
    emotion: Emotion.default("neutral"),
  })
  .describe("shown on the device with a sound");

/** A text frame that may be sent to devices. Those of asr, dialogue and tts are excluded. */
export const SendText = z.strictObject({
  message: z
    .discriminatedUnion("type", [Shown, ServerCustom, ServerNotify])
    .refine(fitsDevice, tooLong)
    .describe("a message to the device, as in docs/protocol.md"),
});

/** A control frame that may be sent to devices. */
export const SendControl = z.strictObject({
  message: z
    .discriminatedUnion("type", [ServerSystem, ServerIot])
    .refine(fitsDevice, tooLong)
    .describe("a command to the device, as in docs/protocol.md"),
});

/** A text to speak. */
export const Say = z.strictObject({
  text: z.string().trim().min(1).max(4096).describe("what is spoken"),
  emotion: Emotion.optional().describe("the face while it is spoken"),
  language: language.optional().describe("BCP 47 language of the text; default: the device's"),
});
