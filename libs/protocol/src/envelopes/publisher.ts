import { Decoder } from "@msgpack/msgpack";
import { isName } from "../ids.ts";
import { checkMessagePack } from "./measure.ts";

const decoder = new Decoder();

/**
 * Names the publisher of a message, or of its bytes, as far as it tells it: `<program> <instance>`, `gateway <gid>`, or
 * `session <session>` for a frame of a device. Undefined if it tells nothing. Never throws.
 */
export function findPublisher(subject: string, message: object): string | undefined {
  const map = message instanceof Uint8Array ? decodeMap(message) : (message as Readonly<Record<string, unknown>>);
  const nameIn = (field: string) => {
    const value = map?.[field];
    return typeof value === "string" && isName(value) ? value : undefined;
  };
  const [program, instance, gateway, session] = ["program", "instance", "gateway", "session"].map(nameIn);
  if (program !== undefined) return instance === undefined ? program : `${program} ${instance}`;
  if (gateway !== undefined) return `gateway ${gateway}`;
  return session !== undefined && subject.includes(".in.") ? `session ${session}` : undefined;
}

function decodeMap(data: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    // A text that is not UTF-8 may be what is wrong with it.
    checkMessagePack(data, () => true);
    const value = decoder.decode(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // It is malformed, which is why somebody asks.
    return undefined;
  }
}
