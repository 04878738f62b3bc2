import type { IncomingMessage } from "node:http";
import { Problem } from "./problems.ts";

/** The longest body of a request, in bytes. */
const maxBodyBytes = 65_536;

/**
 * The JSON of a request's body; an empty one is `{}`. Throws a Problem: `unsupported-media-type` when it is not declared
 * as application/json (which also keeps forms of other sites out), `body-too-big`, `bad-json`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Problem("unsupported-media-type", "send the body with `Content-Type: application/json`");
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > maxBodyBytes) throw new Problem("body-too-big", `the body is over ${maxBodyBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
  } finally {
    // Read to its end and thrown away: a client still sending would miss the answer, and the connection's next request would wait.
    request.resume();
  }
  if (size === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new Problem("bad-json", "the body is not JSON in UTF-8", { cause });
  }
}
