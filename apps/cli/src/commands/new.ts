import { basename, resolve } from "node:path";
import { jsonOption } from "../arguments.ts";
import { command, CommandError, UsageError } from "../command.ts";
import { findNameProblem, languages, writeProgram, type Language } from "../scaffold/scaffold.ts";

/** `voxbus new`: a program of one's own, to begin with. */
export const newCommand = command({
  name: "new",
  summary: "Writes a new program that hears devices and answers, with its tests",
  parameters: ["NAME"],
  options: {
    lang: { value: "LANG", meaning: "the language", choices: Object.keys(languages) },
    ...jsonOption,
  },
  details: `NAME is the new folder, and its last part the name of the program. Its README.md has the commands that fetch its packages,
test it and run it.

  voxbus new kitchen-timer --lang python`,
  async run({ parameters: [path = ""], options }, shell) {
    if (path === "") throw new UsageError("NAME is empty.");
    const { lang } = options;
    if (lang === undefined)
      throw new UsageError(`Choose a language with --lang: ${Object.keys(languages).join(", ")}.`);
    const language = lang as Language;
    const folder = resolve(path);
    const name = basename(folder);
    const problem = findNameProblem(name, language);
    if (problem !== undefined) throw new UsageError(`NAME: ${problem}`);
    const files = await writeProgram(folder, name, language).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "EEXIST") throw new CommandError(`${folder} exists already.`, { cause });
      throw new CommandError(`Cannot write ${folder} (${cause.code ?? cause.message}).`, { cause });
    });
    if (options.json) return shell.print(JSON.stringify({ folder, files }));
    for (const file of files) shell.print(`${path}/${file}`);
    shell.print(`Written. ${path}/README.md says how to test and run it.`);
  },
});
