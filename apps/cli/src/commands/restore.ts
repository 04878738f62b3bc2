import { jsonOption } from "../arguments.ts";
import { BackupError } from "../backup/format.ts";
import { checkBackup } from "../backup/read-backup.ts";
import { findHindrance, restoreBackup } from "../backup/restore-backup.ts";
import { command, CommandError } from "../command.ts";
import { withAdmin } from "../connect-admin.ts";
import { toJson } from "../json.ts";

/** Restores the streams and buckets of a backup. */
export const restore = command({
  name: "restore",
  summary: "Restores the streams and buckets of a backup",
  parameters: ["FILE"],
  options: {
    overwrite: { meaning: "replace what the system has in these streams and buckets" },
    check: { meaning: "only check the file and the system, and change nothing" },
    ...jsonOption,
  },
  details: `
The file is read through first: one that is damaged, incomplete or no backup is refused before anything is written. Each stream
and bucket is then replaced as a whole, one after another. If it is interrupted, repeat it with --overwrite. Stop the programs
before, if the system has data: they would lose what they write meanwhile.

  voxbus restore night.backup
  voxbus restore night.backup --overwrite`,
  async run({ parameters: [path = ""], options }, shell) {
    const checked = await checkBackup(path).catch((cause: unknown) => {
      throw explain(path, cause);
    });
    const names = checked.stores.map(({ name }) => name);
    const report = { file: path, at: checked.header.at, stores: names };
    await withAdmin(shell, async (admin) => {
      const hindrance = await findHindrance(admin, checked, options.overwrite);
      if (hindrance !== undefined) throw new CommandError(hindrance);
      if (options.check) return;
      const done = (name: string) => shell.tell(`restored ${name}`);
      await restoreBackup(admin, { path, backup: checked, done }, shell.signal);
    });
    const made = new Date(checked.header.at).toISOString();
    if (options.json) shell.print(toJson({ ...report, restored: !options.check }));
    else if (options.check)
      shell.print(`${path} is a whole backup of ${made}, and can be restored: ${names.join(", ")}`);
    else shell.print(`restored the backup of ${made}: ${names.join(", ")}`);
  },
});

function explain(path: string, cause: unknown): unknown {
  if (cause instanceof BackupError) return new CommandError(`${path}: ${cause.message}`, { cause });
  const { code } = cause as NodeJS.ErrnoException;
  return code === undefined ? cause : new CommandError(`Cannot read ${path} (${code}).`, { cause });
}
