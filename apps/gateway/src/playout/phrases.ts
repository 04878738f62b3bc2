import { readFile } from "node:fs/promises";
import type { OutText } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { PlayoutBuffer } from "./buffer.ts";
import { phraseNames, type PhraseName } from "./turn-state.ts";

/** Gives the sound of a phrase in a language as Opus packets of 60 ms, or undefined if there is no sound in that language. */
export type PhraseSounds = (name: PhraseName, language: string) => readonly Uint8Array[] | undefined;

const alerts = {
  apology: { status: "Sorry", emotion: "sad" },
  wait: { status: "Wait", emotion: "neutral" },
  busy: { status: "Sorry", emotion: "sad" },
  unheard: { status: "No sound", emotion: "sad" },
} as const;

const texts = {
  apology: { en: "Something went wrong. Please try again." },
  wait: {
    en: "One moment, I am busy.",
    zh: "请稍等，我正忙。",
    de: "Einen Moment, ich bin beschäftigt.",
    fr: "Un instant, je suis occupé.",
    es: "Un momento, estoy ocupado.",
  },
  busy: {
    en: "Sorry, I am too busy. Please try again later.",
    zh: "抱歉，我现在太忙，请稍后再试。",
    de: "Entschuldigung, ich bin überlastet. Bitte versuche es später noch einmal.",
    fr: "Désolé, je suis trop occupé. Réessayez plus tard.",
    es: "Lo siento, estoy muy ocupado. Inténtalo más tarde.",
  },
  unheard: {
    en: "I cannot hear this device: its sound does not arrive. Please check the network.",
    zh: "我听不到这台设备：没有收到声音，请检查网络。",
    de: "Ich höre dieses Gerät nicht: Sein Ton kommt nicht an. Bitte prüfe das Netzwerk.",
    fr: "Je n'entends pas cet appareil : le son n'arrive pas. Vérifiez le réseau.",
    es: "No oigo este dispositivo: su sonido no llega. Revisa la red.",
  },
} as const;

/** Gives an alert: in the given language if it is one of ours, otherwise in English. */
export function alertOf(name: keyof typeof texts, language: string): Extract<OutText, { type: "alert" }> {
  const known: Readonly<Record<string, string>> = texts[name];
  const [primary = "en"] = language.toLowerCase().split("-");
  const message = (Object.hasOwn(known, primary) ? known[primary] : undefined) ?? texts[name].en;
  return { type: "alert", ...alerts[name], message };
}

/** Reads the sounds of all phrases. They are English. */
export async function readPhrases(): Promise<PhraseSounds> {
  const sounds = new Map<PhraseName, readonly Uint8Array[]>();
  for (const name of phraseNames)
    sounds.set(name, await readSound(new URL(`../../assets/${name}.en.bin`, import.meta.url)));
  return (name, language) => (language.startsWith("en") ? sounds.get(name) : undefined);
}

/**
 * Reads a ready-made sound: Opus packets of 60 ms at 24 kHz. The file holds each behind its length, a 16-bit
 * big-endian number. Throws for a truncated file.
 */
async function readSound(url: URL): Promise<readonly Uint8Array[]> {
  const data = await readFile(url);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < data.byteLength;) {
    const size = data.readUInt16BE(at);
    packets.push(data.subarray(at + 2, at + 2 + size));
    at += 2 + size;
    if (at > data.byteLength) throw new Error(`${url.pathname} is truncated`);
  }
  return packets;
}

/** Makes an announcement of a phrase's packets, ranked after everything caused up to `seq`. `now` in ms. */
export function createPhrase(
  packets: readonly Uint8Array[],
  { id, seq, isNotice }: { readonly id: string; readonly seq: number; readonly isNotice: boolean },
  now: number,
  memory: MemoryBudget,
): PlayoutBuffer {
  // It counts as having waited long enough, so that it plays even while the user speaks.
  const since = now - fixedLimits.announcementWaitMs;
  const phrase = new PlayoutBuffer({ id, origin: undefined, rank: seq + 0.5, isNotice }, since, memory);
  phrase.fill(packets);
  return phrase;
}
