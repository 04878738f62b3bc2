import { expect, test } from "vitest";
import { createSentenceCutter } from "./sentences.ts";

/** Texts of a model, and what is spoken and shown of them: one line for each sentence. */
const english: readonly (readonly [written: string, spoken: string])[] = [
  // Arithmetic and other facts stay as they are.
  ["x = -b ± √(b² − 4ac) / 2a", "x = -b ± √(b² − 4ac) / 2a"],
  ["The temp is −5 °C to +3 °C (23–37 °F).", "The temp is −5 °C to +3 °C (23–37 °F)."],
  ["3/4 cup, 1 1/2 tsp, 5'11\", 6×4", "3/4 cup, 1 1/2 tsp, 5'11\", 6×4"],
  ["2^10 = 1024; 10^-3; a_1 + a_2", "2^10 = 1024; 10^-3; a_1 + a_2"],
  ["$10-$20 and US$3.5M, €5, £3.20", "$10-$20 and US$3.5M, €5, £3.20"],
  ["50% off, #1, @home, AT&T, 24/7, and/or", "50% off, #1, @home, AT&T, 24/7, and/or"],
  ["f(x) = 2*x + 3*y**2", "f(x) = 2*x + 3*y**2"],
  ["*note: 5*3 is 15*", "note: 5*3 is 15"],
  ["In C:\\Users\\bob\\notes.txt or C:\\", "In C:\\Users\\bob\\notes.txt or C:\\"],
  ["\\\\server\\share, \\n and \\d+", "\\\\server\\share, \\n and \\d+"],
  ["H<sub>2</sub>O, x<sup>2</sup>, 10<sup>-3</sup>, 1<sup>st</sup>", "H2O, x^2, 10^-3, 1st"],
  ["List<String> and As said[1]", "List<String> and As said[1]"],
  ["&copy; &mdash; &#8212; &#xb0;C &deg;F &foo; &#55357;", "© — — °C °F &foo;"],
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
  ["it's *very **important***", "it's very important"],
  ["`a_b` and ``c d``", "a_b and c d"],
  ["> > nested\n> quote", "nested\nquote"],
  ["# Title #\nText", "Title\nText"],
  ["Title\n=====\nText\n-----", "Title\nText"],
  ["Line one  \nLine two\\\nLine three", "Line one\nLine two\nLine three"],
  ["1\\. one \\# two \\- three", "1. one # two - three"],
  ["- [ ] milk\n- [x] eggs", "milk\n✓ eggs"],
  ["1. One\n   - Sub\n     - Deep", "1. One\nSub\nDeep"],
  ["[Foo](https://a.example/Foo_(bar)) is good", "Foo is good"],
  ["<https://a.example/x> and <jo@a.example>", "https://a.example/x and jo@a.example"],
  ["Footnote[^1] here.\n\n[^1]: The note.", "Footnote here.\nThe note."],
  ['Read [the manual][1] now.\n[1]: http://a.example/m "M"', "Read the manual now."],
  ["Look: ![a cat](cat.png). Nice ![one][ref].", "Look: a cat.\nNice one."],
  ["| a | b |\n|:--|--:|\n| 1 | |", "a, b\n1"],
  ["a | b\n---|---\n1 | 2", "a | b\n1 | 2"],
  ["<!-- not. this -->Hi.", "Hi."],
  ["[no answer]", ""],
  ["Sure. [interrupted]", "Sure."],
  ["<answer>Press <kbd>Esc</kbd>.</answer>", "Press Esc."],
  ["~~~\nsecret\n~~~\nDone.", "Done."],
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
  ["\\(a\\) or $c$ or $$d$$, for $5", "a or c or d, for $5"],
  ["\\frac{\\frac{1}{2}}{3} and x^{10} + x^{a+b}", "(1/2)/3 and x^10 + x^(a+b)"],
  ["\\alpha + \\sum_{i=1}^{n} i", "α + ∑_(i=1)^n i"],
  ["90^\\circ, \\mathbb{R}^n, \\vec{v}", "90°, R^n, v"],
  ["\\begin{align} x = 1 \\end{align}", "x = 1"],
  ["The answer is \\(x = 5\\).", "The answer is x = 5."],
  ["\\[ 2 \\times 3 = 6 \\]", "2 × 3 = 6"],
  ["So $$x^2 + y^2 = z^2$$ holds.", "So x^2 + y^2 = z^2 holds."],
  ["Then $x^2$ is \\$5.", "Then x^2 is $5."],
  ["\\boxed{42} and \\frac{1}{2} and \\text{cm}", "42 and 1/2 and cm"],
  ["\\frac{a+b}{2} \\cdot \\sqrt{9} \\leq \\pi", "(a+b)/2 · √9 ≤ π"],

  // Thoughts are not spoken.
  ["<think>a. b</think>One.<think>c</think>", "One."],
  ["<seed:think>Hm.</seed:think>Hello.", "Hello."],
  ["<thought_process>Hm.</thought_process>Hello.", "Hello."],
  ["[THINK]Hm. So.[/THINK]Hello.", "Hello."],
  ["◁think▷Hm. So.◁/think▷Hello.", "Hello."],
  ["&lt;think&gt;Hm. So.&lt;/think&gt;Hello.", "Hello."],
  ["<|begin_of_thought|>Hm. So.<|end_of_thought|><|begin_of_solution|>Hello.<|end_of_solution|>", "Hello."],
  [
    "<|channel|>analysis<|message|>Hm. So.<|end|><|start|>assistant<|channel|>final<|message|>Hello.<|return|>",
    "Hello.",
  ],
  ["Hello.<|end|>", "Hello."],
  ["<think>Hm. What now?</think>Hello.", "Hello."],
  ["<thinking>Hm.</thinking>Hello.", "Hello."],
  ['<THINKING type="x">Hm.</THINKING>Hello.', "Hello."],
  ["<thought>Hm.</thought><reasoning>Aha!</reasoning>Hello.", "Hello."],
  ["Hello. <think>Was that all? Yes.", "Hello."],
  ["```js\nsecret(1);\n```\nDone.", "Done."],

  // Sentences end where a person would end them.
  ["On Jan. 5 at 3:00. Be there.", "On Jan. 5 at 3:00.\nBe there."],
  ["At 192.168.1.1. Then v2.10.3-beta.1. Done.", "At 192.168.1.1.\nThen v2.10.3-beta.1.\nDone."],
  ["Mail jo.d@a.example.co. Thanks.", "Mail jo.d@a.example.co.\nThanks."],
  ["He said, “Stop!” and left. “Why?” she asked.", "He said, “Stop!” and left.\n“Why?” she asked."],
  ["Bob, a.k.a. Rob, came. Use e.g. Salt.", "Bob, a.k.a. Rob, came.\nUse e.g. Salt."],
  ["Mt. Everest is 8,848.86 m high. Wow!", "Mt. Everest is 8,848.86 m high.\nWow!"],
  ["I have 3. You have 4.", "I have 3.\nYou have 4."],
  ["مرحبا. كيف حالك؟", "مرحبا.\nكيف حالك؟"],
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
  ["现在是下午3:30。今天是2024年1月5日。", "现在是下午3:30。\n今天是2024年1月5日。"],
  ["体重65.5kg，身高1.75m，比分3:2。", "体重65.5kg，身高1.75m，比分3:2。"],
  ["３．５公里，￥3,500.00元。到了！", "３．５公里，￥3,500.00元。\n到了！"],
  ["邮箱是a_b@a.example。版本v2.1.0。", "邮箱是a_b@a.example。\n版本v2.1.0。"],
  ["[链接](https://a.example)在此。~~删除~~文字", "链接在此。\n删除文字"],
  ["| 名 | 值 |\n|---|---|\n| 甲 | 1 |", "名, 值\n甲, 1"],
  ["「你好。」她说。真的吗？！太好了！！", "「你好。」\n她说。\n真的吗？！\n太好了！！"],
  ["嗯……我想想……好吧。", "嗯……我想想……好吧。"],
  ["他得了No.1。Dr. Wang来了。", "他得了No.1。\nDr. Wang来了。"],
  ["[THINK]想一想。[/THINK]你好。", "你好。"],
  ["<|channel|>analysis<|message|>想。<|end|><|start|>assistant<|channel|>final<|message|>你好。", "你好。"],
  ["- [ ] 牛奶\n- [x] 鸡蛋", "牛奶\n✓ 鸡蛋"],
  ["气温30~35度，①第一②第二。", "气温30~35度，①第一②第二。"],
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
