/** Marks of recognizers' models: languages, moods, times, unknown words. Some servers write them with blanks inside. */
const tags = /<\s*\|[^<>|]{0,64}\|\s*>|<\/?[a-z][\w-]{0,30}\/?>|\{[\p{L}_ -]{1,30}\}|%hesitation\b/giu;
/** Times of a section, as in subtitles, with the head of their file and the number of the section. */
const times =
  /^WEBVTT\b.*$|^\d+[ \t]*\n(?=\d{1,2}:\d{2}.*-->)|\[?\d{1,2}:\d{2}(?::\d{2})?[.,]\d{1,3}\s*-->\s*\d{1,2}:\d{2}(?::\d{2})?[.,]\d{1,3}\]?|\[\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?\]/gm;
/** The beginnings of lines that name a speaker, or are a dash as in subtitles. */
const speakers = /^[ \t]*(?:\[speaker[ _]?\d+\]:?|speaker[ _]?\w{0,3}:|[-–—][ \t]+(?=\p{L}))/gimu;
/** Descriptions of a sound in square brackets: words, no figures. */
const descriptions = /\[[\p{L}_\s-]{1,40}\]|【[\p{L}\s]{1,20}】/gu;
const sounds =
  "music(?:al)?|silence|silent|noise|static|laugh(?:s|ing|ter)?|applause|clap(?:s|ping)?|cough(?:s|ing)?|sigh(?:s|ing)?|" +
  "breath(?:es|ing)?|sneez(?:es|ing)|inaudible|unintelligible|no speech|no audio|blank audio|beep(?:s|ing)?|" +
  "throat|typing|clicking|cheering|crying|singing|humming|speaking in foreign language|" +
  "音乐|背景音乐|音樂|掌声|鼓掌|笑声|笑|咳嗽|叹气|沉默|静音|无声|噪音|杂音|听不清|哭声|歌声";
/** The same in round brackets or stars, which may also hold words that were spoken: only known sounds, with a few words. */
const knownSounds = new RegExp(`[(（*](?:[a-z]+ )?(?:${sounds})(?: [a-z]+)?[)）*]`, "giu");
/** A text that is one description: words, no figures. */
const onlyDescription = /^(?:[(（*][^()（）*\p{N}]{0,80}[)）*][\s\p{P}]*)+$/u;
/** Sentences of videos and their subtitles, which models write about silence. Only as a whole transcript. */
const credits = new RegExp(
  "^\\P{L}*(?:.*amara\\.org.*|字幕(?:由|志愿者|制作|by|：|:).*|请不吝点赞.*|.*明镜与点点.*|(?:谢谢|感谢)(?:大家)?(?:的)?(?:观看|收看|收听).{0,4}|" +
    "thank(?:s| you)(?: so much| very much)? for (?:watching|viewing)|(?:please )?(?:like and )?subscribe to (?:my|our|the) channel|" +
    "untertitel(?:ung)? (?:des|der|von|im auftrag).*|sous-titr(?:es|age) .*|subtítulos (?:realizados|por) .*)\\P{L}*$",
  "iu",
);
const longestCredits = 100;
/** A text of single Chinese characters with blanks between them. */
const spaced = /^(?:[\p{Script=Han}\p{P}]\s+)+[\p{Script=Han}\p{P}]$/u;
const invisible = /\p{Cc}|[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|\p{Emoji_Presentation}|[♪♫♬♩🎵🎶]/gu;

/**
 * Gives the words of a transcript without what recognizers write beside them. Gives an empty text for a transcript without
 * words. The words themselves are not changed.
 */
export function readHeardWords(transcript: string): string {
  const words = [times, tags, speakers, descriptions, knownSounds, invisible]
    .reduce((text, marks) => text.replaceAll(marks, " "), transcript)
    .replaceAll("\u00ad", "")
    .replaceAll("▁", " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  if (!/[\p{L}\p{N}]/u.test(words) || onlyDescription.test(words) || isCredits(words)) return "";
  return spaced.test(words) ? words.replaceAll(" ", "") : words;
}

function isCredits(words: string): boolean {
  return words.length <= longestCredits && credits.test(words);
}
