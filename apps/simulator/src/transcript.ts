import type { DeviceEvent } from "./client.ts";
import type { JsonObject } from "./device-tools.ts";
import type { TurnRecord } from "./turn.ts";

/** Describes an event in one line, or returns undefined if there is nothing to show. */
export function describeEvent(event: DeviceEvent): string | undefined {
  if (!("got" in event)) return undefined;
  if (event.got === "bad") return line("bad", event.problem);
  return event.got === "json" ? describeMessage(event.message) : undefined;
}

/** Describes the timing of an answered turn in one line. */
export function describeTurn(record: TurnRecord, spoken: boolean, soundMs: number): string {
  const { inputEnd, firstAudioAt, heardAt } = record;
  const since = spoken ? "the end of speech" : "the text";
  const first = firstAudioAt === undefined || inputEnd === undefined ? undefined : firstAudioAt - inputEnd;
  const heard = heardAt === undefined || inputEnd === undefined || !spoken ? undefined : heardAt - inputEnd;
  const parts = [
    first === undefined ? undefined : `first sound ${Math.round(first)} ms after ${since}`,
    heard === undefined ? undefined : `understood after ${Math.round(heard)} ms`,
    `${(soundMs / 1000).toFixed(1)} s of sound`,
  ];
  return line("", parts.filter((part) => part !== undefined).join(", "));
}

/** Formats a line with its label in a column. */
export function line(label: string, text: string): string {
  return `${label.padStart(8)}  ${text}`;
}

function describeMessage(message: JsonObject): string | undefined {
  const text = readString(message["text"]);
  switch (message["type"]) {
    case "stt":
      return line("heard", text === "" ? "(not understood)" : text);
    case "tts":
      return message["state"] === "sentence_start" ? line("said", text) : undefined;
    case "llm":
      return line("face", readString(message["emotion"]));
    case "alert":
      return line("alert", `${readString(message["status"])}: ${readString(message["message"])}`);
    case "system":
      return line("system", readString(message["command"]));
    case "goodbye":
      return line("goodbye", "the server ends the conversation");
    case "mcp":
      return describeCall(message["payload"]);
    default:
      return undefined;
  }
}

function describeCall(payload: unknown): string | undefined {
  const { method, params } = (payload ?? {}) as { method?: unknown; params?: { name?: unknown; arguments?: unknown } };
  if (method !== "tools/call") return undefined;
  return line("tool", `${readString(params?.name)} ${JSON.stringify(params?.arguments ?? {})}`);
}

function readString(value: unknown): string {
  return typeof value === "string" ? value : "";
}
