import type { Emotion } from "@voxbus/protocol";

/** The spoken form of a piece of text: its words, which may be empty, and the face of its first known emoji. */
export interface Speakable {
  readonly text: string;
  readonly emotion: Emotion | undefined;
}

const faces: Readonly<Partial<Record<Emotion, string>>> = {
  neutral: "😶😐😑",
  happy: "🙂😊😀😃😄😁☺👍🎉🥳",
  laughing: "😆🤣",
  funny: "😂😹",
  sad: "😔😢😞🙁☹💔",
  angry: "😠😡🤬",
  crying: "😭",
  loving: "😍🥰❤💕💖",
  embarrassed: "😳😅🙈",
  surprised: "😯😲😮",
  shocked: "😱🤯",
  thinking: "🤔🧐💭",
  winking: "😉",
  cool: "😎",
  relaxed: "😌🧘",
  delicious: "🤤😋",
  kissy: "😘😗💋",
  confident: "😏💪",
  sleepy: "😴🥱💤",
  silly: "😜🤪😝",
  confused: "🙄😕🤷",
};
const faceOf = new Map(
  Object.entries(faces).flatMap(([emotion, emoji]) => Array.from(emoji, (face) => [face, emotion as Emotion] as const)),
);

/** Removes markdown and emoji from a piece of text, so that no voice reads "asterisk asterisk". */
export function makeSpeakable(written: string): Speakable {
  const emotion = Array.from(written, (char) => faceOf.get(char)).find((face) => face !== undefined);
  const text = written
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/<\/?[a-z][^<>]*>/gi, "")
    .replaceAll(/^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]?)+/gm, "")
    .replaceAll(/^[ \t]*(?:[-*_][ \t]*){3,}$/gm, "")
    .replaceAll(/(?<!\s)\*+|\*+(?!\s)|`+|~~|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, "")
    .replaceAll(/^[ \t]*\|[ \t:|-]*$/gm, "")
    .replaceAll(/^[ \t]*\|(.*)\|[ \t]*$/gm, (_, cells: string) => cells.trim().replaceAll(/\s*\|\s*/g, ", "))
    .replaceAll(
      /\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\p{Variation_Selector}|\u200d|\u20e3/gu,
      "",
    )
    .replaceAll(/\s+/g, " ")
    .trim();
  return { text: /[\p{L}\p{N}]/u.test(text) ? text : "", emotion };
}
