import { jsonOption } from "../arguments.ts";
import { writeBackup, type WrittenBackup } from "../backup/write-backup.ts";
import { command, CommandError } from "../command.ts";
import { withAdmin } from "../connect-admin.ts";
import { toJson } from "../json.ts";
import { formatTable } from "../table.ts";

/** Copies the streams and buckets of a system into a file. */
export const backup = command({
  name: "backup",
  summary: "Copies the streams and buckets into one file",
  parameters: ["FILE"],
  options: { ...jsonOption },
  details: `
The file holds dialogues, profiles, reminders and the like: what people said, and what they set. Only its owner can read it
(mode 0600). A file that exists is not overwritten. The system may run meanwhile: each stream and bucket is copied as it is
at one moment, one after another. What describes the processes that run now is left out. voxbus restore restores it.

  voxbus backup night.backup`,
  async run({ parameters: [path = ""], options }, shell) {
    const written = await withAdmin(shell, (admin) => writeBackup(admin, path, shell.signal)).catch(
      (cause: unknown) => {
        throw explain(path, cause);
      },
    );
    shell.print(options.json ? toJson({ file: path, ...written }) : describe(path, written));
  },
});

function describe(path: string, { bytes, stores }: WrittenBackup): string {
  const rows = stores.map(({ name, messages, bytes }) => [name, String(messages), String(bytes)]);
  return `${formatTable(["name", "messages", "bytes"], rows)}\n\n${path}: ${bytes} bytes`;
}

function explain(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EEXIST") return new CommandError(`${path} exists, and a backup never overwrites a file.`, { cause });
  return typeof code === "string" && code.startsWith("E")
    ? new CommandError(`Cannot write ${path} (${code}).`, { cause })
    : cause;
}
