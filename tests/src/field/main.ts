import { runSuite } from "../suites/command.ts";
import { kinds } from "./cases.ts";
import { runCases } from "./run-cases.ts";
import { formatTables, writeTables } from "./table.ts";

await runSuite({
  command: "test:field",
  noun: "case",
  about:
    "Meets a running system with odd devices, models, speech servers and hosts, as they are found in the field. Prints a\n" +
    "table of what happened. Exit code: 1 if a case did not hold.",
  page: "docs/compatibility.md",
  entries: kinds.flatMap(({ title, cases }) =>
    cases.map((one) => ({ ...one, name: `${title.toLowerCase()}: ${one.odd}`, kind: title })),
  ),
  async run(chosen, { begin, print, log }) {
    const chosenKinds = kinds.map(({ title }) => ({ title, cases: chosen.filter(({ kind }) => kind === title) }));
    const rows = await runCases(chosenKinds, {
      begin,
      row({ held, happened, ms }, output) {
        print(`${held ? "ok    " : "FAILED"}  ${happened} (${Math.round(ms)} ms)\n`);
        log?.(output);
      },
    });
    return {
      table: formatTables(rows, kinds),
      write: () => writeTables(rows, kinds),
      passed: rows.every(({ held }) => held),
    };
  },
});
