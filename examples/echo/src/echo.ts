import { z, type Door } from "@voxbus/subscriber";

/** The variables of the echo. */
export const echoConfig = {
  VOXBUS_ECHO_DEVICE: z.string().optional().describe("echo this device only; unset: every device"),
};

/**
 * A device hears itself: each packet goes back at once, to the session it came from, and typed text is shown. Of
 * several echoes that run, one answers.
 */
export function echo({ config, on, send }: Pick<Door<typeof echoConfig>, "config" | "on" | "send">): void {
  const where = { queue: "echo", device: config.VOXBUS_ECHO_DEVICE };
  on.audio((frame, from) => send.audio(from.device, frame.body, { session: frame.session }), where);
  on.text((frame, from) => send.alert(from.device, frame.body, { status: "Echo" }), where);
}
