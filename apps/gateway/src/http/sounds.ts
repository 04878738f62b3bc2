import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { createOggOpusWriter, OpusPacketError } from "@voxbus/audio";
import { DeniedError, NoResponderError, RefusedError as RefusedRequestError, type Bus, type Closer } from "@voxbus/bus";
import { channels, refusals } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { RefusedError } from "./refusals.ts";

const prefix = "/xiaozhi/notify/";
const pathPattern = /^\/xiaozhi\/notify\/([\w-]{1,64})\/([\w-]{22})\.ogg$/;
const sampleRate = 24_000;
const notThere = [NoResponderError, RefusedRequestError, DeniedError];
const forgetMs = 60_000;

/** The sounds that idle devices fetch. Their addresses cannot be guessed, and expire. */
export interface Sounds extends Closer {
  /** Keeps a sound, and gives its path. Undefined without room for it. */
  keep(packets: readonly Uint8Array[]): string | undefined;
  /** Tells whether a path is that of a sound. */
  owns(path: string): boolean;
  /**
   * Answers with a sound. Its path names the gateway that keeps it. Another one, behind the same port or balancer, asks
   * that one over the bus. Throws RefusedError for an unknown or expired sound, BusAwayError if that one does not answer.
   */
  answer(response: ServerResponse, path: string): Promise<void>;
}

/** Dependencies of the sounds. */
export interface SoundsDeps {
  readonly gateway: string;
  readonly bus: Bus;
  readonly memory: MemoryBudget;
  /** ms. */
  readonly now?: () => number;
}

/** Creates the sounds of one gateway, and gives them to others. */
export function createSounds({ gateway, bus, memory, now = () => performance.now() }: SoundsDeps): Sounds {
  /** The oldest first. */
  const kept = new Map<string, { readonly ogg: Buffer; readonly until: number }>();
  let asked = 0;
  const forget = (most: number) => {
    for (const [name, { ogg, until }] of kept) {
      if (now() < until && kept.size <= most) return;
      kept.delete(name);
      memory.give(ogg.byteLength);
    }
  };
  const find = (name: string) => {
    const sound = kept.get(name);
    return sound !== undefined && now() < sound.until ? sound.ogg : undefined;
  };
  const ask = async (of: string, sound: string) => {
    if (asked >= fixedLimits.askedSounds) throw new RefusedError("too-many", refusals["too-many"].meaning);
    asked += 1;
    try {
      return (await bus.request(channels.sound(of), { sound })).ogg;
    } catch (error) {
      // The gateway that kept it is gone, or users on NATS do not permit the question.
      if (notThere.some((kind) => error instanceof kind)) return undefined;
      throw error;
    } finally {
      asked -= 1;
    }
  };
  const forgetting = setInterval(() => forget(fixedLimits.keptSounds), forgetMs).unref();
  const answering = bus.respond(channels.sound(gateway), ({ sound }) => ({ ogg: find(sound) }));
  return {
    keep(packets) {
      forget(fixedLimits.keptSounds - 1);
      const ogg = writeOgg(packets);
      if (!memory.take(ogg.byteLength)) return undefined;
      const name = randomBytes(16).toString("base64url");
      kept.set(name, { ogg, until: now() + fixedLimits.soundMs });
      return `${prefix}${gateway}/${name}.ogg`;
    },
    owns: (path) => path.startsWith(prefix),
    async answer(response, path) {
      const [, of = "", name = ""] = pathPattern.exec(path) ?? [];
      const ogg = of === gateway || of === "" ? find(name) : await ask(of, name);
      if (ogg === undefined) throw new RefusedError("not-found", refusals["not-found"].meaning);
      response.setHeader("content-type", "audio/ogg");
      response.setHeader("content-length", ogg.byteLength);
      response.end(ogg);
    },
    close() {
      clearInterval(forgetting);
      answering.close();
    },
  };
}

function writeOgg(packets: readonly Uint8Array[]): Buffer {
  const writer = createOggOpusWriter({ sampleRate });
  const pages: Uint8Array[] = [];
  let bytes = 0;
  for (const packet of packets) {
    bytes += packet.byteLength;
    if (bytes > fixedLimits.soundBytes) break;
    try {
      pages.push(writer.write(packet));
    } catch (error) {
      if (!(error instanceof OpusPacketError)) throw error;
    }
  }
  return Buffer.concat([...pages, writer.close()]);
}
