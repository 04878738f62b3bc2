import { jsonOption } from "../arguments.ts";
import { command, exitCodes, type Color } from "../command.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import { toJson, toText } from "../json.ts";
import { addFile } from "../programs/config-reports.ts";

const colors: Readonly<Record<Finding["state"], Color>> = {
  ok: "green",
  warning: "yellow",
  failed: "red",
  skipped: "dim",
};

/** Examines the system and says how to fix what is wrong. */
export const doctor = command({
  name: "doctor",
  summary: "Examines this machine, NATS and the programs, and says how to fix problems",
  options: {
    "env-file": { value: "FILE", meaning: "variables from a file as well, such as deploy/compose/.env" },
    ...jsonOption,
  },
  details: `
It checks Node, the configuration of all programs, open files, memory, ports, nats-server and JetStream, the permissions of
this account, streams and buckets, clocks, the disk, and the engines: each is asked once, which may cost what a short question
costs. It takes about 10 s, changes nothing, and works while NATS is down. The exit code is 0 if nothing failed, also if there
are warnings.

  voxbus doctor
  voxbus doctor --json`,
  async run({ options }, shell) {
    const { print, paint } = shell;
    const env = await addFile(shell.env, options["env-file"]);
    const counts = { ok: 0, warning: 0, failed: 0, skipped: 0 };
    for await (const finding of examine(shell, env)) {
      const { check, state, found, fix } = finding;
      counts[state] += 1;
      if (options.json) print(toJson(finding));
      else {
        print(`${paint(colors[state], state.padEnd(7))}  ${check}: ${toText(found)}`);
        if (fix !== undefined) print(`         ${toText(fix)}`);
      }
    }
    if (!options.json) print(`\n${counts.failed} failed, ${counts.warning} warnings, ${counts.ok} ok`);
    return counts.failed > 0 ? exitCodes.failed : exitCodes.ok;
  },
});
