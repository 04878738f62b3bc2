import { commonOptions } from "./arguments.ts";
import type { Command, Option } from "./command.ts";

const lineWidth = 120;

/** Writes the help of one command. */
export function describeCommand({ name, summary, parameters = [], options, details }: Command): string {
  const usage = ["voxbus", name, ...parameters, "[OPTIONS]"].join(" ");
  const rows = Object.entries<Option>({ ...options, ...commonOptions }).map(describeOption);
  const parts = [`${summary}.`, `  ${usage}`, ...(details === undefined ? [] : [details.trim()]), formatRows(rows)];
  return `${parts.join("\n\n")}\n`;
}

/** Writes the help of the program: the list of its commands. */
export function describeProgram(commands: readonly Command[]): string {
  const rows = commands.map(
    ({ name, parameters = [], summary }) => [[name, ...parameters].join(" "), summary] as const,
  );
  return `Shows and sends the messages of a voxbus system.

${formatRows(rows)}

voxbus COMMAND --help describes a command and its options, and voxbus --version prints the version. The variables
VOXBUS_NATS_URL, VOXBUS_NATS_USER and so on say where NATS is, as for every program. NO_COLOR switches colors off.

Exit codes: 0 done, 1 failed, 2 wrong command line or variable, 130 ended by Ctrl-C before it was done.
`;
}

function describeOption([name, { meaning, value, choices, fallback }]: [string, Option]) {
  const notes = [choices?.join(", "), fallback === undefined ? undefined : `default: ${fallback}`];
  const known = notes.filter((note) => note !== undefined);
  const title = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [title, known.length > 0 ? `${meaning} (${known.join("; ")})` : meaning] as const;
}

/** Writes two columns. The second one is broken at 120 characters. */
function formatRows(rows: readonly (readonly [title: string, meaning: string])[]): string {
  const width = Math.max(...rows.map(([title]) => title.length)) + 4;
  return rows
    .map(([title, meaning]) => {
      const lines = [`  ${title}`.padEnd(width)];
      for (const word of meaning.split(" ")) {
        const longer = `${lines.at(-1)}${lines.at(-1)?.endsWith(" ") ? "" : " "}${word}`;
        if (longer.length <= lineWidth) lines[lines.length - 1] = longer;
        else lines.push(" ".repeat(width) + word);
      }
      return lines.join("\n");
    })
    .join("\n");
}
