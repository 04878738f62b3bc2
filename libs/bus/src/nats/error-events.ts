import { channels, isName } from "@voxbus/protocol";
import { BusAwayError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import type { Messages } from "./messages.ts";

/**
 * Tells the bus which messages a program drops: as often as it logs them, and never about an error event, so that one error
 * causes no chain of others. While NATS is away, nothing is told.
 */
export function publishErrors(
  { drops, connected }: Pick<Connection, "drops" | "connected">,
  { publish }: Pick<Messages, "publish">,
  program: string | undefined,
): void {
  if (program === undefined || !isName(program)) return;
  const channel = channels.error(program);
  const isError = (subject: string) => subject.startsWith(channels.error("").subject);
  drops.onLogged((message) => {
    if (isError(message.subject) || !connected()) return;
    try {
      publish(channel, message);
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
    }
  });
}
