import type { Bus } from "../bus.ts";
import type { Connection } from "../nats/connection.ts";
import type { Messages } from "../nats/messages.ts";
import { discover } from "./discover.ts";
import { serve } from "./serve.ts";

/** Creates the requests of a connection, and its access to NATS's services API. */
export function openServices(
  connection: Connection,
  messages: Pick<Messages, "answer" | "respond" | "request">,
): Pick<Bus, "respond" | "request" | "serve" | "discover"> {
  return {
    respond: messages.respond,
    request: messages.request,
    serve: (description) => serve(connection, messages, description),
    discover: (found, gone) => discover(connection, found, gone),
  };
}
