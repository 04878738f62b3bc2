import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";
import { pythonNames } from "./python-names.ts";
import { recipes } from "./recipes.ts";
import type { Template } from "./template.ts";

/** The languages of a new program, with their templates. */
export const languages = { ts: recipes.typescript, python: recipes.python, go: recipes.go } as const satisfies Readonly<
  Record<string, Template>
>;
export type Language = keyof typeof languages;

const titles: Readonly<Record<Language, string>> = { ts: "TypeScript", python: "Python", go: "Go" };
const ignored: Readonly<Record<Language, readonly string[]>> = {
  ts: ["node_modules", "dist", "packages"],
  python: [".venv", "__pycache__"],
  go: ["doorbell"],
};

const name = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
/** Users of deploy/nats/accounts.conf besides those of our programs with ports. */
const otherUsers = ["cli", "listener", "shadow"];

/** Says why a program cannot have this name; undefined if it can. */
export function findNameProblem(given: string, language: Language): string | undefined {
  if (!name.test(given))
    return `a name has 1 to 32 characters of a-z 0-9 -, begins with a letter and does not end with -: "${given}" does not.`;
  if (Object.hasOwn(defaultPorts, given) || otherUsers.includes(given))
    return `voxbus has a user ${given} of its own in NATS. Choose another name.`;
  if (language === "python" && pythonNames.has(given.replaceAll("-", "_")))
    return `"${given}" cannot be the name of this program's module in Python. Choose another name.`;
  if (language === "ts" && given === "main")
    return `"main" is a file of every program in TypeScript. Choose another name.`;
  return undefined;
}

/**
 * Writes a new program into `folder`, which it creates. Returns the paths of its files. Throws the error of the disk, EEXIST if the
 * folder exists.
 */
export async function writeProgram(folder: string, given: string, language: Language): Promise<readonly string[]> {
  const template = languages[language];
  const rename = renamer(given, language);
  const files = new Map(Object.entries(template.files).map(([path, text]) => [rename(path), rename(text)]));
  if (files.size < Object.keys(template.files).length) throw new Error(`two files of ${given} have the same path`);
  files.set("README.md", rename(writeReadme(language, template)));
  files.set(".gitignore", rename(`${ignored[language].join("\n")}\n`));
  await mkdir(folder);
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { flag: "wx" });
  }
  return [...files.keys()];
}

/** Puts the name in the place of the template's. A module of Python has `_` in place of `-`. */
function renamer(given: string, language: Language): (text: string) => string {
  const word = language === "python" ? given.replaceAll("-", "_") : given;
  const title = given.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase());
  return (text) => text.replaceAll("Doorbell", title).replaceAll("doorbell", word);
}

function writeReadme(language: Language, { files, install, run, start }: Template): string {
  const list = Object.keys(files).map((path) => `\`${path}\``);
  return `# doorbell

A program on the bus of voxbus, in ${titles[language]}: if someone says or types "open the door" to a device, the device answers. It also offers
language models a tool that opens and closes the door. Put your own program in the place of the door.
Its files: ${list.join(", ")}.

## Fetch the packages

Tell your shell where your checkout of voxbus is, and which nats-server the tests may start:

    export VOXBUS=~/voxbus
    export VOXBUS_NATS_SERVER=$(node $VOXBUS/deploy/local/nats-server.mjs)

Then:

\`\`\`sh
${install}\`\`\`

## Test

The tests start a nats-server of their own. They need neither a running voxbus nor a device.

\`\`\`sh
${run}\`\`\`

## Run

Start voxbus with \`npm start\` in its checkout. \`VOXBUS_NATS_URL\` names another NATS than that one.

\`\`\`sh
${start}\`\`\`

Talk to it with a simulated device, in the checkout. Type "open the door". Your program speaks after the assistant:

    npm run device -- --id kitchen

\`docs/subscribers.md\` of voxbus has the rules for programs, their permissions, and their deployment. \`docs/bus.md\` specifies every message.
`;
}
