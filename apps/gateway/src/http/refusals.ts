import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { StorageFullError } from "@voxbus/bus";
import { ProtocolError, refusals, type Refusal } from "@voxbus/protocol";
import { BusAwayError, type Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";
import { count, type Counters } from "../observe/counters.ts";

/** Thrown for a request that is refused, by the name that it has in docs/protocol.md. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;
  constructor(refusal: Refusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.refusal = refusal;
  }
}

/** Refuses requests and upgrades: counts, logs and answers each by its name. */
export interface Refuser {
  /** Answers a request with the refusal that `error` stands for. */
  request(response: ServerResponse, error: unknown): void;
  /** Answers an upgrade with the refusal that `error` stands for, and ends its connection. */
  upgrade(socket: Duplex, error: unknown): void;
  /** Counts a request that cannot be answered, because it is not HTTP or MQTT. */
  invalid(error: unknown): void;
  /** Counts a refusal that is answered elsewhere, and gives its name. */
  named(error: unknown): Refusal;
  /** Counts a connection that is dropped at a limit before its request was read. */
  dropped(): void;
}

/** Creates the refuser of one gateway. */
export function createRefuser(counters: Counters, log: Log): Refuser {
  const refuse = (error: unknown) => {
    // An error of Node with a code comes from a request that is not HTTP, or broke off. Any other is our own.
    let name: Refusal = error instanceof Error && "code" in error ? "bad-request" : "internal";
    let message: string = refusals[name].meaning;
    if (error instanceof RefusedError) ({ refusal: name, message } = error);
    else if (error instanceof ProtocolError)
      [name, message] = [error.code === "bad-id" ? "bad-device-id" : "bad-request", error.message];
    else if (error instanceof BusAwayError || error instanceof StorageFullError)
      [name, message] = ["bus-away", refusals["bus-away"].meaning];
    count(counters.refusals, name);
    if (name === "internal") log.error({ err: error }, "request failed");
    else log.debug({ err: error, refusal: name }, "request refused");
    return { name, status: refusals[name].status, body: `${JSON.stringify({ error: name, message })}\n` };
  };
  return {
    request(response, error) {
      const { status, body } = refuse(error);
      if (response.headersSent) response.destroy();
      else {
        if (status === 426) response.setHeader("upgrade", "websocket");
        response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
      }
    },
    upgrade(socket, error) {
      const { name, status, body } = refuse(error);
      const head = [
        `HTTP/1.1 ${status} ${name}`,
        "Connection: close",
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(body)}`,
      ];
      // Ended alone, it would stay until the peer ends it too.
      const destroy = () => socket.destroy();
      const timer = setTimeout(destroy, fixedLimits.lingerMs);
      socket.once("close", () => clearTimeout(timer));
      socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, destroy);
    },
    invalid: (error) => void refuse(error),
    named: (error) => refuse(error).name,
    dropped: () => count(counters.refusals, "too-many"),
  };
}
