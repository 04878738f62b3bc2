import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ProtocolError, refusals, type Refusal } from "@voxbus/protocol";
import { count, type Counters } from "../observe/counters.ts";

/** Thrown for a request that is refused, by the name that it has in docs/protocol.md. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;
  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** Counts a refusal, and gives its name and its body. */
function describe(counters: Counters, error: unknown): { readonly name: Refusal; readonly body: string } {
  // Any other error comes from a request that broke off while its body was read.
  let [name, message]: [Refusal, string] = ["bad-request", refusals["bad-request"].meaning];
  if (error instanceof RefusedError) [name, message] = [error.refusal, error.message];
  else if (error instanceof ProtocolError) [name, message] = ["bad-device-id", error.message];
  count(counters.refusals, name);
  return { name, body: `${JSON.stringify({ error: name, message })}\n` };
}

/** Answers a request with the refusal that `error` stands for. */
export function refuseRequest(response: ServerResponse, counters: Counters, error: unknown): void {
  const { name, body } = describe(counters, error);
  response.setHeader("content-type", "application/json");
  response.writeHead(refusals[name].status).end(body);
}

/** Answers an upgrade with the refusal that `error` stands for, and ends its connection. */
export function refuseUpgrade(socket: Duplex, counters: Counters, error: unknown): void {
  const { name, body } = describe(counters, error);
  const head = [
    `HTTP/1.1 ${refusals[name].status} ${name}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
