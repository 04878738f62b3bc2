import { z, type Context, type Program } from "@voxbus/subscriber";

const echoConfig = {
  VOXBUS_ECHO_DEVICE: z.string().optional().describe("echo this device only; unset: every device"),
};

/** The program echo: its name and variables. */
export const echo: Program<typeof echoConfig> = { name: "echo", config: echoConfig };

/**
 * Lets a device hear itself. Each packet goes back at once to the session that it came from. Typed text is shown on
 * the device. If several echoes run, one of them answers each message.
 */
export function buildEcho({ config, on, send }: Context<typeof echoConfig>): void {
  const where = { queue: "echo", device: config.VOXBUS_ECHO_DEVICE };
  on.audio((frame, from) => send.audio(from.device, frame.body, { session: frame.session }), where);
  on.text((frame, from) => send.alert(from.device, frame.body, { status: "Echo" }), where);
}
