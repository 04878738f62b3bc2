import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The answer to every request to a stand-in. */
export interface StandInAnswer {
  readonly type: string;
  readonly body: string | Uint8Array;
}

/**
 * Runs `use` with the URL of a server on a free port of 127.0.0.1 that gives every request the same answer. It stands in for a
 * model's server while a program warms up. Resolves when the server is closed.
 */
export async function withStandIn(answer: StandInAnswer, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { "content-type": answer.type }).end(answer.body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
