import { check, hears, both } from "./outcomes.ts";
import type { FieldCase, FieldKind } from "./field-case.ts";
import type { Stage } from "./stage.ts";
import { hearNothing } from "./watch.ts";

async function speakAndHear(stage: Stage, answer: string | { status: number; body: object | string }) {
  stage.server.script.transcribe = () => answer;
  const asked = stage.server.requests.chat.length;
  const turn = await (await stage.connect()).speak();
  return { turn, asked: stage.server.requests.chat.length - asked };
}

/** A transcript with marks beside its words. */
function marks(odd: string, transcript: string, words: string, why: string, quick = false): FieldCase {
  return {
    odd,
    right: `the words “${words}” are heard`,
    why,
    quick,
    run: async (stage) => hears((await speakAndHear(stage, transcript)).turn, words),
  };
}

/** An answer in another form than `{"text": …}`. */
function form(odd: string, body: object | string, why: string): FieldCase {
  return {
    odd,
    right: "the words “Hello there.” are heard",
    why,
    run: async (stage) => hears((await speakAndHear(stage, { status: 200, body })).turn, "Hello there."),
  };
}

/** A transcript without words. */
function nothing(odd: string, transcript: string, why: string): FieldCase {
  return {
    odd,
    right: "nothing was heard, and the device goes back to waiting",
    why,
    run: (stage) => hearNothing(stage, transcript),
  };
}

/** A recognizer that fails. */
function failure(odd: string, status: number, body: object | string, why: string): FieldCase {
  return {
    odd,
    right: "an apology, and the next question is understood",
    why,
    async run(stage) {
      const { turn, asked } = await speakAndHear(stage, { status, body });
      const next = await speakAndHear(stage, "Hello there.");
      const apologized = check(`said ${turn.said.join(" ") || "nothing"}`, turn.said.length === 1 && asked === 0);
      return both(apologized, hears(next.turn, "Hello there."));
    },
  };
}

/** Recognizers behind an OpenAI-compatible endpoint. */
export const recognizerCases: FieldKind = {
  title: "Recognizers",
  cases: [
    marks("tags of SenseVoice before the words", "<|en|><|HAPPY|><|Speech|><|withitn|>Hello there.", "Hello there.", "FunASR's servers pass the tags on.", true),
    marks("a sound in brackets before the words", "[door slams] Hello there.", "Hello there.", "whisper.cpp describes sounds so."),
    marks("times before each section", "[00:00:00.000 --> 00:00:01.500]   Hello\n[00:00:01.500 --> 00:00:02.000]  there.", "Hello there.", "whisper.cpp's server answers so as text."),
    marks("a blank between all Chinese characters", "现 在 几 点", "现在几点", "Paraformer and sherpa-onnx write tokens so."),
    marks("words in capitals without punctuation", "HELLO THERE", "HELLO THERE", "The models of LibriSpeech in sherpa-onnx know only capitals."),
    marks("a subtitle's dash and line breaks", "- Hello\n- there.", "Hello there.", "Whisper was trained on subtitles."),
    marks("speakers before the words", "SPEAKER_00: Hello there.", "Hello there.", "WhisperX's servers name speakers."),
    form("sections without a whole text", { segments: [{ text: " Hello" }, { text: " there." }] }, "Servers that only know `verbose_json` answer so."),
    form("the bare text", "Hello there.\n", "Servers with `response_format` text as their default answer so."),
    form("JSON that calls itself plain text", '{"text":"Hello there."}', "Servers in Python without a type do so."),
    form("the text in `result`", { code: 0, result: [{ key: "a", text: "Hello there." }] }, "FunASR's own servers answer so."),
    form("subtitles in the form WebVTT", "WEBVTT\n\n00:00.000 --> 00:02.000\nHello there.\n", "Proxies with a fixed format answer so."),
    nothing("[BLANK_AUDIO]", "[BLANK_AUDIO]", "whisper.cpp writes so about silence."),
    nothing("a single full stop, in Chinese", "。", "SenseVoice writes so about noise."),
    nothing("only tags", "<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|><|woitn|>", "SenseVoice writes so about noise."),
    nothing("thanks for watching", "Thanks for watching!", "Whisper writes so about silence: it was trained on videos."),
    nothing("credits of subtitles, in Chinese", "字幕由Amara.org社区提供", "Whisper writes so about silence in Chinese."),
    nothing("credits of subtitles, in German", "Untertitel der Amara.org-Community", "Whisper writes so about silence in German."),
    nothing("an appeal to subscribe, in Chinese", "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "Whisper writes so about silence in Chinese."),
    failure("500 for one utterance", 500, { detail: "CUDA out of memory" }, "A recognizer shares its GPU with the model."),
    failure("an error with status 200", 200, { error: { message: "file format not supported" } }, "Gateways answer so."),
    failure("an HTML page in place of a transcript", 200, "<!DOCTYPE html><html><body>Please sign in</body></html>", "Portals and proxies answer so."),
    failure("503 while the recognizer loads", 503, "Service Unavailable", "speaches loads a model with the first request."),
  ],
}; // prettier-ignore
