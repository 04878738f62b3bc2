/** The wake words that firmware is built with (the models of ESP-SR), as devices spell them in `listen` `detect`. */
const builtIn = [
  "Alexa", "Astrolabe", "Blue Chip", "Computer", "Hey, Ily", "Hey, Ivy", "Hey, Kira", "Hey, Printer", "Hey, Wand",
  "Hey, Wanda", "Hey, Willow", "Hi, Andy", "Hi, ESP", "Hi, Fairy", "Hi, Jason", "Hi, Jolly", "Hi, Joy", "Hi, Lexin",
  "Hi, Lili", "Hi, Lily", "Hi, M Five", "Hi, Stack Chan", "Hi, Telly", "Hi, Wall-E", "Jarvis", "Mycroft", "Sophia",
  "嗨乐鑫", "Hi, 乐鑫", "Hi, 喵喵", "Hi, 小星", "Hi, 小巫", "嗨小巫", "Hi, 莉莉", "Hi, 泰力", "你好小智", "你好小安",
  "你好小鑫", "你好小益", "你好东东", "你好喵伴", "你好白影", "小爱同学", "小美同学", "小明同学", "小康同学", "小宇同学",
  "喵喵同学", "小龙小龙", "小滨小滨", "小冰小冰", "小鹿小鹿", "小箭小箭", "小特小特", "小鸭小鸭", "小酥肉", "璃奈板",
  "ni hao xiao zhi", "xiao ai tong xue",
]; // prettier-ignore

const builtInKeys = new Set(builtIn.map(toKey));

/** Tells whether a text is a wake word: one of `own`, or one of the firmware's. Only letters and digits count, in any case. */
export function isWakeWord(text: string, own: readonly string[]): boolean {
  const key = toKey(text);
  return builtInKeys.has(key) || own.some((word) => toKey(word) === key);
}

/** Reduces a text to its letters and digits, case-folded. A text without any stays as it is. */
function toKey(text: string): string {
  const folded = text.normalize("NFKC").toLowerCase();
  return folded.replace(/[^\p{L}\p{M}\p{N}]/gu, "") || folded.trim();
}
