import type { DeviceEvent } from "./client.ts";

/** Takes the events of one connection and returns the problem if one breaks the order (docs/protocol.md, turn sequencing). */
export type OrderCheck = (event: DeviceEvent) => string | undefined;

const conversational = new Set<unknown>(["stt", "llm", "tts"]);

/**
 * Checks that hello is the first message, that audio and sentences come only between `tts/start` and `tts/stop`, and that starts
 * and stops alternate. Each abort is answered with a `tts/stop`, so one without a start is legal then. `idles`: a goodbye ends a
 * conversation, and between conversations comes nothing that belongs to one.
 */
export function createOrderCheck({ idles = false }: { readonly idles?: boolean } = {}): OrderCheck {
  let greeted = false;
  let speaking = false;
  let aborts = 0;
  const checkTts = (state: unknown) => {
    const was = speaking;
    if (state === "start") {
      speaking = true;
      aborts = 0;
      return was ? "tts/start while speaking" : undefined;
    }
    if (state !== "stop") return was ? undefined : `tts/${String(state)} outside speech`;
    speaking = false;
    if (was) return undefined;
    return --aborts >= 0 ? undefined : "tts/stop outside speech";
  };
  const hangUp = () => {
    greeted = false;
    speaking = false;
  };
  return (event) => {
    const message = "sent" in event ? event.sent : event.got === "json" ? event.message : undefined;
    if (idles && message?.["type"] === "goodbye") hangUp();
    if ("sent" in event) {
      if (event.sent["type"] === "abort") aborts++;
      return undefined;
    }
    if (event.got === "bad") return event.problem;
    if (event.got === "audio") return speaking ? undefined : "audio outside speech";
    if (event.got !== "json") return undefined;
    const { type, state } = event.message;
    if (type === "hello") {
      const problem = greeted ? "a second hello" : undefined;
      greeted = true;
      return problem;
    }
    if (!greeted && !(idles && !conversational.has(type))) return `${String(type)} before hello`;
    if (type === "tts") return checkTts(state);
    return undefined;
  };
}
