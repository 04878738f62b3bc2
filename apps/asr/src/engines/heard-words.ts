/** Marks of recognizers' models: languages, moods, times, unknown words. Some servers write them with blanks inside. */
const tags = /<\s*\|[^<>|]{0,64}\|\s*>|<\/?(?:s|unk|pad|sil|noise|blank|nospeech|asr_text)>/gi;
/** Times of a section, as in subtitles. */
const times = /\[?\d{1,2}:\d{2}(?::\d{2})?[.,]\d{1,3}\s*-->\s*\d{1,2}:\d{2}(?::\d{2})?[.,]\d{1,3}\]?/g;
/** Descriptions of a sound in square brackets: words, no figures. */
const descriptions = /\[[\p{L}_\s-]{1,40}\]|【[\p{L}\s]{1,20}】/gu;
const sounds =
  "music(?:al)?|silence|silent|noise|static|laugh(?:s|ing|ter)?|applause|clap(?:s|ping)?|cough(?:s|ing)?|sigh(?:s|ing)?|" +
  "breath(?:es|ing)?|sneez(?:es|ing)|inaudible|unintelligible|no speech|no audio|blank audio|beep(?:s|ing)?|" +
  "typing|clicking|cheering|crying|singing|humming|speaking in foreign language|" +
  "音乐|背景音乐|音樂|掌声|鼓掌|笑声|笑|咳嗽|叹气|沉默|静音|无声|噪音|杂音|听不清|哭声|歌声";
/** The same in round brackets or stars, which may also hold words that were spoken: only known sounds, with a few words. */
const knownSounds = new RegExp(`[(（*](?:[a-z]+ )?(?:${sounds})(?: [a-z]+)?[)）*]`, "giu");
/** A text that is one description. */
const onlyDescription = /^(?:[(（*][^()（）*]{0,80}[)）*][\s\p{P}]*)+$/u;
const invisible = /[\u200b-\u200d\u2060\ufeff]|\p{Emoji_Presentation}|[♪♫♬♩🎵🎶]/gu;

/**
 * Gives the words of a transcript without what recognizers write beside them. Gives an empty text for a transcript without
 * words. The words themselves are not changed.
 */
export function readHeardWords(transcript: string): string {
  const words = [tags, times, descriptions, knownSounds, invisible]
    .reduce((text, marks) => text.replaceAll(marks, " "), transcript)
    .replaceAll("▁", " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return /[\p{L}\p{N}]/u.test(words) && !onlyDescription.test(words) ? words : "";
}
