import { expect, test } from "vitest";
import { createSentenceCutter } from "./sentences.ts";

/** Texts of a model, and what is spoken and shown of them: one line for each sentence. */
const english: readonly (readonly [written: string, spoken: string])[] = [
  // Arithmetic and other facts stay as they are.
  ["2*3*4=24", "2*3*4=24"],
  ["2 * 3 * 4 = 24", "2 * 3 * 4 = 24"],
  ["2**10 is 1024", "2**10 is 1024"],
  ["a*b equals b*a", "a*b equals b*a"],
  ["(a+b)*(a-b)", "(a+b)*(a-b)"],
  ["A 5* hotel and a 3* one", "A 5* hotel and a 3* one"],
  ["If x<y and y>z then stop", "If x<y and y>z then stop"],
  ["5<b and c>3", "5<b and c>3"],
  [">5 mg is too much", ">5 mg is too much"],
  ["> 5 mg is too much", "> 5 mg is too much"],
  ["-5 degrees", "-5 degrees"],
  ["|x| is 5", "|x| is 5"],
  ["|x|", "|x|"],
  ["It costs $5 and $10", "It costs $5 and $10"],
  ["About ~5 km, or ~~6 km", "About ~5 km, or ~~6 km"],
  ["C# and F# are on track #5", "C# and F# are on track #5"],
  ["snake_case and _private stay, __init__ too", "snake_case and _private stay, __init__ too"],
  ["f[0](x) is a call", "f[0](x) is a call"],
  ["© 2024 Acme™ and Widget® ↔ Gadget", "© 2024 Acme™ and Widget® ↔ Gadget"],
  ["It is 3.50, not 3,50", "It is 3.50, not 3,50"],
  ["AT&amp;T is &lt; 5 &#39;units&#39;", "AT&T is < 5 'units'"],
  ["Press 1️⃣ or 2️⃣", "Press 1 or 2"],
  ["½ cup, 20°C, 50%", "½ cup, 20°C, 50%"],

  // Broken and control characters cannot be spoken.
  ["I am \ufffd\ufffdwell", "I am well"],
  ["I am\u0000 \u0007well\u001b[1;31m.\u001b[0m", "I am well."],

  // Markdown and markup are for the eye.
  ["**Bold**, *italic*, ***both*** and `code`", "Bold, italic, both and code"],
  ["*5* stars and **10** points", "5 stars and 10 points"],
  ["**It rains. Take a coat.**", "It rains.\nTake a coat."],
  ["_This_ is ~~not~~ true", "This is not true"],
  ["## Answer\n- one\n* two\n> three", "Answer\none\ntwo\nthree"],
  ["See [the manual](http://localhost/x_y) now", "See the manual now"],
  ["![a cat](cat.png)", "a cat"],
  ['A<br>B <b>bold</b> <span class="x">s</span> <i/>', "AB bold s"],
  ["| a | b |\n|---|---|\n| 1 | 2 |", "a, b\n1, 2"],
  ["It is so【4†source】.", "It is so."],
  ["Done.<|im_end|></s>", "Done."],

  // Formulas lose their delimiters, not their content.
  ["The answer is \\(x = 5\\).", "The answer is x = 5."],
  ["\\[ 2 \\times 3 = 6 \\]", "2 × 3 = 6"],
  ["So $$x^2 + y^2 = z^2$$ holds.", "So x^2 + y^2 = z^2 holds."],
  ["Then $x^2$ is \\$5.", "Then x^2 is $5."],
  ["\\boxed{42} and \\frac{1}{2} and \\text{cm}", "42 and 1/2 and cm"],
  ["\\frac{a+b}{2} \\cdot \\sqrt{9} \\leq \\pi", "(a+b)/2 · √9 ≤ π"],

  // Thoughts are not spoken.
  ["<think>Hm. What now?</think>Hello.", "Hello."],
  ["<thinking>Hm.</thinking>Hello.", "Hello."],
  ['<THINKING type="x">Hm.</THINKING>Hello.', "Hello."],
  ["<thought>Hm.</thought><reasoning>Aha!</reasoning>Hello.", "Hello."],
  ["Hello. <think>Was that all? Yes.", "Hello."],
  ["```js\nsecret(1);\n```\nDone.", "Done."],

  // Sentences end where a person would end them.
  ["J.K. Rowling wrote it. J. R. R. Tolkien did not.", "J.K. Rowling wrote it.\nJ. R. R. Tolkien did not."],
  ["The U.S. economy grew. At 5 p.m. today.", "The U.S. economy grew.\nAt 5 p.m. today."],
  ["See https://a.example/find?q=voice&x=1.5! Then call.", "See https://a.example/find?q=voice&x=1.5!\nThen call."],
  ["Is it example.com? Yes!", "Is it example.com?\nYes!"],
  ["Look in /etc/hosts.conf? No. That is wrong.", "Look in /etc/hosts.conf?\nNo.\nThat is wrong."],
  ["It is No. 5 in Fig. 3. Really.", "It is No. 5 in Fig. 3.\nReally."],
  ["“Yes.” He left. (Really!) Gone.", "“Yes.”\nHe left.\n(Really!)\nGone."],
  ["Version 1.2.3 is out. Nice!", "Version 1.2.3 is out.\nNice!"],
  ["Wait... what? Oh!", "Wait... what?\nOh!"],
  ["🎉", ""],
  ["...", ""],
];

const chinese: typeof english = [
  ["2*3*4=24，对吗？对。", "2*3*4=24，对吗？\n对。"],
  ["这是**重点**内容。还有*这个*。", "这是重点内容。\n还有这个。"],
  ["<thinking>用户想知道。</thinking>现在三点。", "现在三点。"],
  ["答案是\\(x=5\\)。", "答案是x=5。"],
  ["价格是¥3.50。约等于$0.5。", "价格是¥3.50。\n约等于$0.5。"],
  ["请看https://a.example/q?x=1吧。好！", "请看https://a.example/q?x=1吧。\n好！"],
  ["“好的。”我们走吧", "“好的。”\n我们走吧"],
  ["好的!我们走吧", "好的!\n我们走吧"],
  ["气温-5℃，湿度50%。", "气温-5℃，湿度50%。"],
  ["# 标题\n- 第一\n- 第二", "标题\n第一\n第二"],
  ["你好😊！", "你好！"],
];

function speak(written: string, language: string): string {
  const cutter = createSentenceCutter(language);
  const sentences = [...cutter.push(written), ...cutter.end()];
  return sentences.flatMap(({ text }) => (text === "" ? [] : [text])).join("\n");
}

test.each(english)("speakable: %j", (written, spoken) => {
  expect(speak(written, "en")).toBe(spoken);
});

test.each(chinese)("speakable, Chinese: %j", (written, spoken) => {
  expect(speak(written, "zh")).toBe(spoken);
});
