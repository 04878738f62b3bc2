import { jsonOption } from "../arguments.ts";
import { command, exitCodes, type Shell } from "../command.ts";
import { toJson, toText } from "../json.ts";
import { addFile, readWholeConfig, type WholeConfig } from "../programs/config-reports.ts";
import { formatTable } from "../table.ts";

/** Checks or prints the configuration of all programs. */
export const config = command({
  name: "config",
  summary: "Checks or prints the configuration of all programs",
  parameters: ["check|print"],
  choices: ["check", "print"],
  options: {
    "env-file": { value: "FILE", meaning: "variables from a file as well, such as deploy/compose/.env" },
    set: { meaning: "print only the variables that are set" },
    ...jsonOption,
  },
  details: `
Each program reads its variables from the environment, as at its start, and lists all problems. A variable that no program
has is a problem too if it looks like a misspelt one. Rules between variables are checked once each variable is valid. print
masks secrets, and shows which variables are set. It needs no NATS.

  voxbus config check
  voxbus config check --env-file /etc/voxbus/voxbus.env
  voxbus config print --set`,
  async run({ parameters: [action], options }, shell) {
    const env = await addFile(shell.env, options["env-file"]);
    const whole = await readWholeConfig(env);
    return action === "check" ? check(whole, options.json, shell) : show(whole, options, shell);
  },
});

function check({ problems, unknown, variables }: WholeConfig, json: boolean, { print, paint }: Shell): number {
  const isBad = problems.length > 0 || unknown.some(({ meant }) => meant !== undefined);
  if (json) print(toJson({ valid: !isBad, problems, unknown }));
  else {
    for (const { problem, programs } of problems) print(paint("red", `${toText(problem)} (${programs.join(", ")})`));
    for (const { name, meant } of unknown) {
      const text = `${toText(name)}: no program has this variable`;
      print(meant === undefined ? paint("yellow", text) : paint("red", `${text}. Did you mean ${meant}?`));
    }
    const set = variables.filter(({ isSet }) => isSet).length;
    if (!isBad) print(`valid: ${set} of ${variables.length} variables are set`);
  }
  return isBad ? exitCodes.failed : exitCodes.ok;
}

function show(
  { variables }: WholeConfig,
  options: { readonly set: boolean; readonly json: boolean },
  { print }: Shell,
): number {
  const shown = variables.filter(({ isSet }) => isSet || !options.set);
  if (options.json) for (const one of shown) print(toJson(one));
  else {
    const rows = shown.map(({ name, value, isSet, programs }) => [
      name,
      isSet ? "set" : "default",
      value === undefined ? "-" : toText(value),
      programs.join(", "),
    ]);
    print(formatTable(["variable", "from", "value", "read by"], rows));
  }
  return exitCodes.ok;
}
