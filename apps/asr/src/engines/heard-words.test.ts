import { expect, test } from "vitest";
import { readHeardWords } from "./heard-words.ts";

/** Transcripts as recognizers write them, and the words that were heard. */
const english: readonly (readonly [transcript: string, words: string])[] = [
  // Words stay as they are.
  ["What time is it?", "What time is it?"],
  [" what time is it\n", "what time is it"],
  ["It's 5:30, isn't it?", "It's 5:30, isn't it?"],
  ["Set it to 50%.", "Set it to 50%."],
  ["2 < 3 and 5 > 4", "2 < 3 and 5 > 4"],
  ["f(x) equals (a + b) * c", "f(x) equals (a + b) * c"],
  ["2*3*4=24", "2*3*4=24"],
  ["the list [1, 2]", "the list [1, 2]"],
  ["Play some music (the loud kind)", "Play some music (the loud kind)"],
  ["play music", "play music"],
  ["silence", "silence"],
  ["No.", "No."],
  ["5", "5"],
  ["C++", "C++"],
  ["naïve café", "naïve café"],
  ["It's 3.14, at 5 p.m. (my time)", "It's 3.14, at 5 p.m. (my time)"],
  ["Mail a_b@x.example or call 555-1234", "Mail a_b@x.example or call 555-1234"],
  ["Version 2.0.1 of C#, R&D, $5, ½", "Version 2.0.1 of C#, R&D, $5, ½"],
  ["(5)", "(5)"],
  ["x * y * z is f(2)", "x * y * z is f(2)"],
  ["-5 degrees", "-5 degrees"],
  ["- 5 degrees", "- 5 degrees"],
  ["the loud speaker: on", "the loud speaker: on"],
  ["Uh-huh...", "Uh-huh..."],
  ["٣ सुनो 안녕", "٣ सुनो 안녕"],

  // Tags.
  ["<|en|><|transcribe|><|notimestamps|> What time is it?", "What time is it?"],
  ["<|0.00|> Hello there.<|2.40|>", "Hello there."],
  ["<|en|><|HAPPY|><|Speech|><|woitn|>tell me a joke", "tell me a joke"],
  ["< | en | > < | EMO_UNKNOWN | > tell me a joke", "tell me a joke"],
  ["tell <unk> me a joke</s>", "tell me a joke"],
  ["▁tell▁me▁a▁joke", "tell me a joke"],
  ["<|startoftranscript|>tell me<|endoftext|>", "tell me"],
  ["<laughter>tell <NOISE/> me<eos>", "tell me"],
  ["<b>tell me</b> {laughs} %HESITATION a joke", "tell me a joke"],
  ["[CLS]tell me[SEP]", "tell me"],
  ["[SPEAKER_00]: tell me", "tell me"],
  ["Speaker 1: tell me\nSpeaker 2: a joke", "tell me a joke"],
  ["[00:12] tell me [00:01:02.5]", "tell me"],
  ["- tell me\n- a joke", "tell me a joke"],
  ["tell\u0000 \u202eme a jo\u00adke", "tell me a joke"],

  // Sounds beside words.
  ["[BLANK_AUDIO] what time is it", "what time is it"],
  ["what time is it [MUSIC PLAYING]", "what time is it"],
  ["(laughs) tell me a joke", "tell me a joke"],
  ["*coughs* stop", "stop"],
  ["♪ happy birthday ♪", "happy birthday"],
  ["tell me a joke 😊", "tell me a joke"],
  ["[00:00:00.000 --> 00:00:02.000]  what time is it", "what time is it"],
  ["\ufeffwhat time\u200b is it", "what time is it"],
  ["*clears throat* stop", "stop"],
  ["[vocalized-noise] stop [ __ ]", "stop"],
  ["♫ tell me ♫", "tell me"],

  // Subtitles and speakers.
  ["- Hello\n- there", "Hello there"],
  ["-5", "-5"],
  ["WEBVTT\n\n1\n00:00.000 --> 00:02.000\nHello\n\n2\n00:02.000 --> 00:03.000\nthere", "Hello there"],
  ["1\n00:00:00,000 --> 00:00:02,000\nHello there", "Hello there"],
  ["SPEAKER_00: what time is it", "what time is it"],
  ["[Speaker 1]: what time is it", "what time is it"],
  ["speaker 1 is loud", "speaker 1 is loud"],

  // Nothing was heard: sentences of videos, which models write about silence.
  ["Thanks for watching!", ""],
  ["Thank you for watching.", ""],
  ["Thank you.", "Thank you."],
  ["thanks for watching the baby", "thanks for watching the baby"],
  ["Subtitles by the Amara.org community", ""],
  ["Please subscribe to my channel.", ""],
  ["Untertitel der Amara.org-Community", ""],
  ["Untertitelung des ZDF für funk, 2017", ""],
  ["Sous-titres réalisés par la communauté d'Amara.org", ""],
  ["Subtítulos realizados por la comunidad de Amara.org", ""],

  // Nothing was heard.
  ["", ""],
  [" \n", ""],
  [".", ""],
  ["...", ""],
  [". . .", ""],
  ["-", ""],
  ["?!", ""],
  ["♪", ""],
  ["♪♪♪", ""],
  ["🎵", ""],
  ["🎼", ""],
  ["[BLANK_AUDIO]", ""],
  ["[ Silence ]", ""],
  ["[MUSIC] [APPLAUSE]", ""],
  ["(music)", ""],
  ["(upbeat music)", ""],
  ["(speaking in foreign language)", ""],
  ["(door slams)", ""],
  ["(wind) (birds)", ""],
  ["*sighs*", ""],
  ["*door closes*", ""],
  ["<|nospeech|>", ""],
  ["<|en|><|nospeech|>", ""],
  ["<|en|>.", ""],
  ["<unk>", ""],
  ["<noise>", ""],
  ["<silence>", ""],
  ["<EMO_UNKNOWN><|BGM|>", ""],
  ["{NOISE}", ""],
  ["[00:00] [Musik]", ""],
  ["(speaks Spanish)", ""],
  ["(música)", ""],
  ["[МУЗЫКА]", ""],
  ["(()) ## --", ""],
  ["👍🏽", ""],
  ["Speaker 1: ", ""],
];

const chinese: typeof english = [
  ["现在几点？", "现在几点？"],
  ["把音量调到50%。", "把音量调到50%。"],
  ["播放音乐", "播放音乐"],
  ["静音", "静音"],
  ["他说（大声地）好", "他说（大声地）好"],
  ["<|zh|><|NEUTRAL|><|Speech|><|withitn|>现在几点？", "现在几点？"],
  ["< | zh | > 讲个笑话", "讲个笑话"],
  ["现 在 几 点 ？", "现在几点？"],
  ["你好 今天天气怎么样", "你好 今天天气怎么样"],
  ["播放 yellow 这首歌", "播放 yellow 这首歌"],
  ["字幕由Amara.org社区提供", ""],
  ["字幕志愿者 杨茜茜", ""],
  ["请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", ""],
  ["谢谢观看", ""],
  ["谢谢", "谢谢"],
  ["（音乐）讲个笑话", "讲个笑话"],
  ["【掌声】讲个笑话", "讲个笑话"],
  ["讲个笑话😊", "讲个笑话"],
  ["５０％，３．５公里，一百", "５０％，３．５公里，一百"],
  ["“好的。”《红楼梦》「你好」", "“好的。”《红楼梦》「你好」"],
  ["说话人1：你好", "说话人1：你好"],
  ["<noise>讲个笑话<laugh>", "讲个笑话"],
  ["{噪音}讲个笑话", "讲个笑话"],
  ["讲个笑话 *咳嗽*", "讲个笑话"],
  ["（笑声）讲个笑话", "讲个笑话"],
  ["[音楽]", ""],
  ["（웃음）", ""],
  ["*笑*", ""],
  ["、！？", ""],
  ["。", ""],
  ["，。", ""],
  ["……", ""],
  ["？", ""],
  ["（音乐）", ""],
  ["（关门声）", ""],
  ["【音乐】", ""],
  ["[音乐]", ""],
  ["<|zh|>", ""],
  ["<|zh|><|EMO_UNKNOWN|><|BGM|><|woitn|>。", ""],
  ["♪～", ""],
];

test.each(english)("heard words: %j is %j", (transcript, words) => {
  expect(readHeardWords(transcript)).toBe(words);
});

test.each(chinese)("heard words in Chinese: %j is %j", (transcript, words) => {
  expect(readHeardWords(transcript)).toBe(words);
});

test("heard words: 60 KB of brackets and tags take less than 200 ms", () => {
  for (const part of ["<|", "[a", "(a ", "*a", "【", "<|en|>", "(music", "00:00"]) {
    const startedAt = performance.now();
    readHeardWords(part.repeat(20_000));
    expect(performance.now() - startedAt).toBeLessThan(200);
  }
});
