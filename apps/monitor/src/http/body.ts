import type { IncomingMessage } from "node:http";
import type { Context, Next } from "hono";
import { Problem } from "./problems.ts";
import type { Bindings } from "./server.ts";

/** The longest body of a request, in bytes, and the longest one that is a file. */
const maxBodyBytes = 65_536;
const maxFileBytes = 8_388_608;

/**
 * Reads a request's body as JSON before the schema checks it. No body is `{}`, whatever its type. Throws a Problem:
 * `unsupported-media-type` if a body is not declared as application/json (which keeps forms of other sites out),
 * `body-too-big`, `bad-json`.
 */
export async function readJson(c: Context<Bindings>, next: Next): Promise<void> {
  const bytes = await readBytes(c.env.incoming, maxBodyBytes);
  if (bytes.length > 0) checkType(c, "application/json");
  const body = decodeJson(bytes);
  // Hono's own reader decodes UTF-8 leniently and refuses an empty body: it gets the text that was checked here.
  c.req.raw = new Request(c.req.url, {
    method: c.req.method,
    headers: { ...c.req.header(), "content-type": "application/json" },
    body,
  });
  await next();
}

/**
 * Reads a request's body as the text of a file. Throws a Problem: `unsupported-media-type` if it is not declared as `type`,
 * `body-too-big`, `bad-field` if it is not UTF-8.
 */
export async function readFile(c: Context<Bindings>, type: string): Promise<string> {
  checkType(c, type);
  const bytes = await readBytes(c.env.incoming, maxFileBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Problem("bad-field", "the file is not UTF-8", { cause });
  }
}

function checkType(c: Context<Bindings>, wanted: string): void {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== wanted) throw new Problem("unsupported-media-type", `send the body with \`Content-Type: ${wanted}\``);
}

// Not by hono/body-limit: it leaves the rest of a long body unread, and with it the connection's next request.
async function readBytes(request: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > most) throw new Problem("body-too-big", `the body is over ${most} bytes`);
      chunks.push(chunk as Buffer);
    }
  } finally {
    request.resume();
  }
  return Buffer.concat(chunks);
}

function decodeJson(bytes: Buffer): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes) || "{}";
    JSON.parse(text);
    return text;
  } catch (cause) {
    throw new Problem("bad-json", "the body is not JSON in UTF-8", { cause });
  }
}
