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

const mathSigns: Readonly<Record<string, string>> = {
  times: "×",
  cdot: "·",
  div: "÷",
  pm: "±",
  leq: "≤",
  le: "≤",
  geq: "≥",
  ge: "≥",
  neq: "≠",
  ne: "≠",
  approx: "≈",
  infty: "∞",
  pi: "π",
  circ: "°",
  to: "→",
  rightarrow: "→",
  left: "",
  right: "",
  sum: "∑",
  int: "∫",
  partial: "∂",
  equiv: "≡",
  in: "∈",
  alpha: "α",
  beta: "β",
  gamma: "γ",
  delta: "δ",
  epsilon: "ε",
  theta: "θ",
  lambda: "λ",
  mu: "μ",
  sigma: "σ",
  phi: "φ",
  omega: "ω",
  Delta: "Δ",
  Sigma: "Σ",
  Omega: "Ω",
};
const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  copy: "©",
  reg: "®",
  deg: "°",
  mdash: "—",
  ndash: "–",
  hellip: "…",
  times: "×",
  plusmn: "±",
  euro: "€",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
};

type Rule = readonly [pattern: RegExp, spoken: string | ((...found: string[]) => string)];

/** A fraction without others inside. Applied twice, for those inside of fractions. */
const fraction: Rule = [
  /\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}/g,
  (_, over = "", under = "") => `${group(over)}/${group(under)}`,
];

/** Patterns that are left out of a text or written in another way, so that it can be spoken. Applied in this order. */
const rules: readonly Rule[] = [
  // Broken characters, and marks that a model's template or a search leaves behind.
  [/\ufffd+|(?!\s)\p{Cc}(?:\[[\d;]*m)?/gu, ""],
  [/<\|[^|<>]{1,40}\|>|<\/?s>|【\d+[^】]*】/g, ""],
  // Marks of the history, which a model may repeat.
  [/\[(?:interrupted|no answer)\]/g, ""],
  // Links, notes and HTML.
  [/<!--[^]*?-->/g, ""],
  [/!?\[([^\]]*)\]\((?=[^)]*[/.#:])(?:[^()\s]|\([^()\s]*\))*(?:\s"[^"]*")?\)/g, "$1"],
  [/^[ \t]*\[[^\]^]+\]:[ \t]*<?https?:\S+.*$/gm, ""],
  [/(?<![\w\]])!?\[([^\][]*\p{L}[^\][]*)\]\[[\w .-]*\]/gu, "$1"],
  [/\[\^[\w-]{1,20}\]:?/g, ""],
  [/<((?:https?:\/\/|mailto:)[^<>\s]+|[\w.+-]+@[\w-]+\.[\w.-]+)>/g, "$1"],
  [
    /(?<=[\d)]|(?<![\p{L}\p{N}])\p{L})<sup>([-+]?\w+)<\/sup>/giu,
    (_, raised) => (/^[a-z]{2}$/i.test(raised) ? raised : `^${raised}`),
  ],
  [
    /<\/?(?:a|b|i|u|s|p|em|br|hr|h[1-6]|li|ol|ul|td|th|tr|div|img|pre|sub|sup|code|span|table|tbody|thead|strong|font|center|details|summary|kbd|mark|del|ins|small|blockquote|dl|dt|dd|answer|output|response|final|solution)(?:\s+[\w-]+\s*=[^<>]*)?\s*\/?>/gi,
    "",
  ],
  // Formulas.
  [/\\[()[\]]|\$\$/g, ""],
  [/\$(?=\S)([^$\n]*[\\^_=][^$\n]*|[a-zA-Z])(?<=\S)\$(?!\d)/g, "$1"],
  [/\\(?:begin|end)\{\w+\*?\}/g, ""],
  [/\^\{?\\circ\}?/g, "°"],
  [/(?<=[\w)}])([\^_])\{([^{}]*)\}/g, (_, sign, content) => sign + group(content)],
  fraction,
  fraction,
  [/\\sqrt\{([^{}]*)\}/g, (_, under) => `√${group(under)}`],
  [
    /\\(?:text(?:bf|it)?|math(?:rm|bf|it|bb|cal|sf)|operatorname|boxed|vec|overline|underline|hat|bar|emph)\{([^{}]*)\}/g,
    "$1",
  ],
  // A word behind a backslash is also a folder on some machines.
  [
    /(?<!\w:\S*)\\([a-zA-Z]+)(?![a-zA-Z])/g,
    (found, sign) => (Object.hasOwn(mathSigns, sign) ? (mathSigns[sign] ?? "") : found),
  ],
  [/(?<!\w:\S*)\\([$%#&_{}*`~.>|+-])/g, "$1"],
  [/\\[,;!]/g, " "],
  // Markdown.
  [/\\(?=\n)/g, ""],
  [/^[ \t]*={3,}[ \t]*$/gm, ""],
  [/^([ \t]*#{1,6}[ \t].*?)[ \t]+#+[ \t]*$/gm, "$1"],
  [/^[ \t]*(?:[-*_][ \t]*){3,}$/gm, ""],
  [/^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]?(?![ \t]*\d))+/gm, ""],
  [/^[ \t]*\[ \][ \t]+/gm, ""],
  [/^[ \t]*\[[xX]\][ \t]+/gm, "✓ "],
  [/`+/g, ""],
  [/~~(?=\S)([^~\n]+)(?<=\S)~~/g, "$1"],
  [/(?<![\p{L}\p{N}_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\p{L}\p{N}_])/gu, "$1"],
  [/(?<![\p{L}\p{N}_])__(?![a-z]+__)(?=[^\s_])([^\n]*?[^\s_])__(?![\p{L}\p{N}_])/gu, "$1"],
  [/^[ \t]*(?:\||:?-+:?[ \t]*\|)[ \t:|-]*$/gm, ""],
  [
    /^[ \t]*\|(.*\|.*)\|[ \t]*$/gm,
    (_, cells) =>
      cells
        .split("|")
        .flatMap((cell) => cell.trim() || [])
        .join(", "),
  ],
  // Emoji. A sign such as © is one only with a variation selector.
  [
    /(?:[\p{Emoji_Presentation}\p{Regional_Indicator}\p{Emoji_Modifier}]|\p{Extended_Pictographic}\ufe0f)(?:\ufe0f|\u200d\p{Extended_Pictographic})*/gu,
    "",
  ],
  [/[\ufe0e\ufe0f\u20e3]/g, ""],
  [/&#(?:x([\da-f]{2,5})|(\d{2,6}));/gi, (_, hex, number) => readCharacter(hex ? parseInt(hex, 16) : Number(number))],
  [/&([a-z]{2,6});/g, (found, name) => entities[name] ?? found],
];

/** Removes markup, formula delimiters and emoji from a piece of text, so that no voice reads "asterisk asterisk". */
export function makeSpeakable(written: string): Speakable {
  const emotion = Array.from(written, (char) => faceOf.get(char)).find((face) => face !== undefined);
  let text = Array.from(written, (char) => (faceOf.has(char) ? "" : char)).join("");
  for (const [pattern, spoken] of rules)
    text = typeof spoken === "string" ? text.replaceAll(pattern, spoken) : text.replaceAll(pattern, spoken);
  text = removeStars(text).replaceAll(/\s+/g, " ").trim();
  return { text: /[\p{L}\p{N}]/u.test(text) ? text : "", emotion };
}

/** Gives the character of a code, or nothing for one that cannot be written. */
function readCharacter(code: number): string {
  const character = String.fromCodePoint(code);
  return /[\p{Cc}\p{Cs}]/u.test(character) ? "" : character;
}

/** Puts an expression in parentheses if it is more than a word or a number. */
function group(expression: string): string {
  return /^[\w.]*$/.test(expression) ? expression : `(${expression})`;
}

/** Removes the stars of emphasis. Stars between numbers or names multiply, and one behind a number is a grade or a note. */
function removeStars(text: string): string {
  let open = false;
  return text.replaceAll(/\*+/g, (stars, at: number) => {
    const [before, after] = [text[at - 1] ?? " ", text[at + stars.length] ?? " "];
    if (/[a-zA-Z0-9)\]]/.test(before) && /[a-zA-Z0-9([]/.test(after)) return stars;
    if (/\s/.test(before) && /\s/.test(after)) return stars;
    const wasOpen = open;
    open = /\s/.test(before) || (!/\s/.test(after) && !open);
    return !wasOpen && /\d/.test(before) && stars === "*" ? stars : "";
  });
}
