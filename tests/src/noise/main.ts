import { runSuite } from "../suites/command.ts";
import { writeRows } from "../suites/reliability-table.ts";
import { openAsr } from "./asr.ts";
import { entries, heads } from "./entries.ts";

const before = " (before)";

await runSuite({
  command: "test:noise",
  noun: "measurement",
  about:
    "Lets asr hear noises and counts what follows from them, then phrases in noise, and sentences with pauses for thought.\n" +
    "It needs a machine without other work: sentences are spoken in real time.",
  page: "docs/reliability.md",
  entries,
  options: {
    seconds: "length of each noise at each level [60]",
    asr: `a checkout whose asr is measured instead; its rows end with "${before.trim()}"`,
  },
  async run(chosen, { values: { seconds = "60", asr: folder }, begin, print }) {
    const asr = await openAsr(folder);
    const found = {
      noise: new Map<string, string>(),
      recognition: new Map<string, string>(),
      pauses: new Map<string, string>(),
    };
    try {
      for (const { name, table, run } of chosen) {
        begin(name);
        for (const [first = "", ...cells] of await run(asr.bus, Number(seconds))) {
          const cell = folder === undefined ? first : first + before;
          const row = `| ${[cell, ...cells].join(" | ")} |`;
          print(`${row}\n`);
          found[table].set(cell, row);
        }
      }
    } finally {
      await asr.close();
    }
    const tables = Object.entries(heads).map(([name, head]) => {
      const lines = [`| ${head.join(" | ")} |`, `| --- ${"| --: ".repeat(head.length - 1)}|`];
      return { name, head: lines, rows: found[name as keyof typeof heads] };
    });
    return {
      table: tables.map(({ head, rows }) => [...head, ...rows.values()].join("\n")).join("\n\n"),
      write() {
        for (const { name, head, rows } of tables) writeRows({ name, head, order: "any" }, rows);
      },
      passed: true,
    };
  },
});
