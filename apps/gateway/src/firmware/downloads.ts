import { open, type FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { refusals } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { RefusedError } from "../http/refusals.ts";
import { fixedLimits } from "../limits.ts";
import { tagOf, type Image } from "./catalog.ts";
import { readRange } from "./range.ts";

/** `sent`: to the end. `broken`: the device hung up, was too slow, or the file changed. */
export type DownloadResult = "sent" | "broken";

/** A request for an image. `group`: the name under which limits count its address. */
export interface Download {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly group: string | undefined;
}

/** Sends images to devices. */
export interface Downloads {
  /** True while no more can begin. */
  full(): boolean;
  /**
   * Sends an image, or the part of it that is asked for. Calls `progress` with the bytes of the image that were sent so far.
   * Resolves with the result, or undefined if there was nothing to send. Throws RefusedError.
   */
  send(image: Image, to: Download, progress: (sent: number) => void): Promise<DownloadResult | undefined>;
}

/** The limits of downloads. */
export type DownloadLimits = Pick<typeof fixedLimits, "downloads" | "downloadsPerAddress" | "downloadMs">;

/** Creates the downloads of one gateway. Each one reads ahead by 64 KiB at most, however slow its device is. */
export function createDownloads(
  log: Log,
  { downloads: most, downloadsPerAddress: mostOfGroup, downloadMs }: DownloadLimits = fixedLimits,
): Downloads {
  /** The groups of those that are open. */
  const open: (string | undefined)[] = [];
  const full = () => open.length >= most;
  const isGroupFull = (group: string | undefined) =>
    group !== undefined && open.filter((one) => one === group).length >= mostOfGroup;
  return {
    full,
    async send(image, { request, response, group }, progress) {
      if (full() || isGroupFull(group)) throw new RefusedError("too-many", refusals["too-many"].meaning);
      open.push(group);
      try {
        const file = await openImage(image);
        try {
          return await sendFile(image, file, { request, response, progress, signal: AbortSignal.timeout(downloadMs) });
        } catch (err) {
          log.debug({ err, image: image.name }, "firmware download broke off");
          response.destroy();
          return "broken";
        } finally {
          await file.close();
        }
      } finally {
        open.splice(open.indexOf(group), 1);
      }
    },
  };
}

/** Opens an image if its file is still the one that the catalog knows. */
async function openImage({ path, tag }: Image): Promise<FileHandle> {
  const file = await open(path).catch(() => undefined);
  if (file !== undefined && tagOf(await file.stat()) === tag) return file;
  await file?.close();
  throw new RefusedError("not-found", "the image has changed or is gone; ask the OTA address again");
}

async function sendFile(
  { bytes, tag }: Image,
  file: FileHandle,
  to: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly progress: (sent: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<DownloadResult | undefined> {
  const { request, response, progress, signal } = to;
  const { range: asked, "if-range": condition = tag } = request.headers;
  const range = condition === tag ? readRange(asked, bytes) : undefined;
  response.setHeader("accept-ranges", "bytes").setHeader("etag", tag);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${bytes}` }).end();
    return undefined;
  }
  const { start, end } = range ?? { start: 0, end: bytes - 1 };
  response.setHeader("content-type", "application/octet-stream").setHeader("content-length", end - start + 1);
  if (range !== undefined) response.writeHead(206, { "content-range": `bytes ${start}-${end}/${bytes}` });
  if (request.method === "HEAD") {
    response.end();
    return undefined;
  }
  let sent = start;
  const count = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      sent += chunk.byteLength;
      progress(sent);
      yield chunk;
    }
  };
  await pipeline(file.createReadStream({ start, end, autoClose: false }), count, response, { signal });
  if (sent <= end) throw new Error(`the file ended after ${sent} of ${bytes} bytes`);
  return "sent";
}
