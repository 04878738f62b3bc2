import type { FieldCase, FieldKind } from "./field-case.ts";
import { check, both, saysExactly } from "./outcomes.ts";

/** A text as a model writes it, and the sentences that a person would say. They are shown and spoken alike. */
function text(odd: string, written: string, spoken: readonly string[], why: string, quick = false): FieldCase {
  return {
    odd,
    right: spoken.map((sentence) => `“${sentence}”`).join(" "),
    why,
    quick,
    async run({ server, connect }) {
      // In pieces of three characters, so that nothing depends on the chunks.
      server.script.chat = () => written.match(/[^]{1,3}/gu) ?? [];
      const inputs: string[] = [];
      const { speak } = server.script;
      server.script.speak = (request, context) => {
        inputs.push(request.input);
        return speak(request, context);
      };
      const turn = await (await connect()).ask("tell me");
      return both(saysExactly(turn, ...spoken), check("spoken as shown", inputs.join() === turn.said.join()));
    },
  };
}

const english: readonly FieldCase[] = [
  text("products with stars", "2*3*4=24, so 5 * 6 is 30.", ["2*3*4=24, so 5 * 6 is 30."], "A star between numbers multiplies.", true),
  text("emphasis in Markdown", "It is **very** *hot*, and __by no means__ _cold_.", ["It is very hot, and by no means cold."], "No voice should read “asterisk”."),
  text("a list in Markdown", "You need:\n\n- two eggs\n- milk\n", ["You need:", "two eggs", "milk"], "Each item is a breath."),
  text("a numbered list", "1. Boil water.\n2. Add tea.\n", ["1. Boil water.", "2. Add tea."], "The number belongs to its step."),
  text("headings and a rule", "# Tea\n\n---\n\nBoil water.", ["Tea", "Boil water."], "A voice says the words only."),
  text("a table", "| Day | Sky |\n| --- | --- |\n| Monday | rain |\n", ["Day, Sky", "Monday, rain"], "A row is a sentence."),
  text("a link and its address", "See [the manual](https://example.com/a?b=c#d) today.", ["See the manual today."], "No one wants to hear an address."),
  text("a bare address with a question mark", "Open https://example.com/find?q=tea now. Bye.", ["Open https://example.com/find?q=tea now.", "Bye."], "The mark is not the end of a sentence."),
  text("a block of code", "Do this:\n```python\nprint(1)\n```\nThat is all.", ["Do this:", "That is all."], "Code cannot be spoken."),
  text("code inside a sentence", "Call `run()` twice.", ["Call run() twice."], "The name is part of the sentence."),
  text("initials and titles", "Dr. J.K. Rowling met Mr. Smith at 5 p.m. today. He left.", ["Dr. J.K. Rowling met Mr. Smith at 5 p.m. today.", "He left."], "A dot behind a letter is no end."),
  text("numbers with dots", "Pi is 3.14159, version 2.0.1 is out, and it costs $1.50. Good.", ["Pi is 3.14159, version 2.0.1 is out, and it costs $1.50.", "Good."], "Facts stay as they are."),
  text("two prices in dollars", "It was $5 and is $10 now.", ["It was $5 and is $10 now."], "Two dollar signs are no formula."),
  text("a formula between dollar signs", "Then $x^2 = 4$ holds.", ["Then x^2 = 4 holds."], "The signs are delimiters."),
  text("a formula in LaTeX", "Half is \\(\\frac{1}{2}\\), and \\[a \\times b\\] too.", ["Half is 1/2, and a × b too."], "No voice should read “backslash”."),
  text("names with underscores and signs", "Use snake_case, __init__, C# and C++ in file_1.", ["Use snake_case, __init__, C# and C++ in file_1."], "Names are facts."),
  text("comparisons", "3 < 5 and 5 > 3, so a<b.", ["3 < 5 and 5 > 3, so a<b."], "A sign is no tag."),
  text("HTML", "It is <b>hot</b>.<br>Drink water &amp; rest.", ["It is hot.", "Drink water & rest."], "Models that were trained on web pages write it."),
  text("citations of a search", "It rains【4†source】 today [1].", ["It rains today [1]."], "OpenAI's search leaves marks."),
  text("an emoji alone", "😀", ["I am sorry, I cannot answer right now."], "A face is no answer."),
  text("letters with stars between them", "The search takes O(n*m) time.", ["The search takes O(n*m) time."], "A star between names multiplies."),
  text("a time and a range", "Open 9:30-17:00, Mon.-Fri., approx. 10 min. from here.", ["Open 9:30-17:00, Mon.-Fri., approx. 10 min. from here."], "Facts stay as they are."),
  text("a thought in another tag", "<reasoning>He is tired.</reasoning>Good night.", ["Good night."], "Models invent tags."),
  text("a quotation at the end", 'He said: "Stop!" Then he left.', ['He said: "Stop!"', "Then he left."], "The closing mark belongs to its sentence."),
]; // prettier-ignore

const chinese: readonly FieldCase[] = [
  text("Chinese without blanks", "今天天气很好。你想出去吗？好！", ["今天天气很好。", "你想出去吗？", "好！"], "Sentences have no blanks between them."),
  text("Chinese with Markdown", "**今天**有：\n1. 晴天\n2. 微风", ["今天有：", "1. 晴天", "2. 微风"], "Chinese models write Markdown too."),
  text("Chinese quotation marks", "他说：“你好！”然后走了。", ["他说：“你好！”", "然后走了。"], "The closing mark belongs to its sentence."),
  text("Chinese with English and figures", "iPhone 15 Pro 的价格是 7,999.00 元，用 USB-C。", ["iPhone 15 Pro 的价格是 7,999.00 元，用 USB-C。"], "Facts stay as they are."),
  text("a Chinese thought", "<think>用户在问好。</think>你好！", ["你好！"], "Only the answer is spoken."),
]; // prettier-ignore

/** Answers of models, which are written for the eye. */
export const textCases: FieldKind = { title: "Text for the ear", cases: [...english, ...chinese] };
