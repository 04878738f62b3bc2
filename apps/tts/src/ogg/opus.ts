import { maxOpusPacketBytes, readOpusPacket, type OpusHead } from "@voxbus/audio";
import { createOggPageReader, OggError, type OggPage } from "./pages.ts";

/** A piece of an Ogg Opus stream. `keep` is how much of a packet is to be heard, in samples at 48 kHz. */
export type OggOpusPiece =
  { readonly head: OpusHead } | { readonly packet: Uint8Array<ArrayBuffer>; readonly keep: number };

/** Takes Opus packets from an Ogg stream that is cut anywhere. Streams may follow each other; those that are not Opus are skipped. */
export interface OggOpusReader {
  /** Returns the pieces that these bytes complete. Throws `OggError`, or `OpusPacketError` for an invalid packet. */
  write(bytes: Uint8Array): OggOpusPiece[];
  /** Throws `OggError` if the bytes ended too early. */
  end(): void;
}

/** An Opus stream that is being read: its serial number, and how far it is. */
interface Link {
  readonly serial: number;
  /** The number of packets so far. The first two are heads. */
  packets: number;
  /** The parts of a packet that has not ended. */
  partial: Uint8Array[];
  position: number;
}

const samplesAMs = 48;

/** Creates a reader. A packet of more than 8,192 bytes is an error. Comments, which may be long, are passed over. */
export function createOggOpusReader(): OggOpusReader {
  const pages = createOggPageReader();
  let link: Link | undefined;

  function* readPage(page: OggPage): Generator<OggOpusPiece> {
    if (page.isFirst) {
      const head = readHead(page.parts[0] ?? new Uint8Array(0));
      if (!head) return;
      checkEnd(link);
      link = { serial: page.serial, packets: 1, partial: [], position: 0 };
      yield { head };
      return;
    }
    if (!link) throw new OggError("expected an Opus stream in the Ogg stream, got none");
    if (page.serial !== link.serial) return;
    const packets = takePackets(page, link);
    const durations = packets.map((packet) => readOpusPacket(packet).durationMs * samplesAMs);
    const end = link.position + durations.reduce((sum, duration) => sum + duration, 0);
    // Only the last page may end before its packets do.
    let surplus = page.isLast && page.position !== undefined ? Math.max(0, end - page.position) : 0;
    const kept = durations.toReversed().map((duration) => {
      const cut = Math.min(duration, surplus);
      surplus -= cut;
      return duration - cut;
    });
    link.position = page.position ?? end;
    for (const [n, keep] of kept.toReversed().entries()) yield { packet: packets[n]!, keep };
  }

  return {
    write: (bytes) => pages.write(bytes).flatMap((page) => [...readPage(page)]),
    end() {
      pages.end();
      checkEnd(link);
    },
  };
}

function checkEnd(link: Link | undefined): void {
  if (link && (link.packets < 2 || link.partial.length > 0))
    throw new OggError("the Opus stream ended within a packet");
}

/** Takes the packets of sound that end on a page. */
function takePackets({ parts, isContinued, isWhole }: OggPage, link: Link): Uint8Array<ArrayBuffer>[] {
  if (isContinued !== link.partial.length > 0) throw new OggError("a page of the Ogg stream is missing");
  const packets: Uint8Array<ArrayBuffer>[] = [];
  for (const [n, part] of parts.entries()) {
    // Comments may hold pictures: one byte stands for them.
    const isSound = link.packets >= 2;
    link.partial.push(isSound ? part : part.subarray(0, link.partial.length === 0 ? 1 : 0));
    const length = link.partial.reduce((sum, { length }) => sum + length, 0);
    if (length > maxOpusPacketBytes) throw new OggError(`an Opus packet has more than ${maxOpusPacketBytes} bytes`);
    if (n === parts.length - 1 && !isWhole) break;
    // An empty one is no packet, but the end of some streams.
    if (isSound && length > 0) packets.push(new Uint8Array(Buffer.concat(link.partial)));
    link.packets += 1;
    link.partial = [];
  }
  return packets;
}

/** Reads the head of an Opus stream. Undefined for another codec. Throws OggError for Opus of several streams at once. */
function readHead(bytes: Uint8Array): OpusHead | undefined {
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 8)) !== "OpusHead") return undefined;
  if (bytes.length < 19) throw new OggError(`expected an Opus head of at least 19 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[8]! > 15) throw new OggError(`expected version 0 to 15 of Opus in Ogg, got ${bytes[8]}`);
  const [channels, family] = [bytes[9]!, bytes[18]!];
  const streams = family === 0 ? 1 : bytes[19];
  if (channels < 1 || channels > 2 || streams !== 1)
    throw new OggError(`expected Opus with 1 or 2 channels in one stream, got ${channels} channels`);
  return { preSkip: view.getUint16(10, true), gain: 10 ** (view.getInt16(16, true) / 256 / 20) };
}
