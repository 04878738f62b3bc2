import { commonOptions, takesList } from "../arguments.ts";
import { command, type Command, type Option } from "../command.ts";

/** Writes the completion of one shell for all commands. */
type WriteScript = (commands: readonly Command[]) => string;

const shells: Readonly<Record<string, WriteScript>> = { bash: writeBash, zsh: writeZsh, fish: writeFish };

/** Creates the command that prints the completion of a shell. `list` gives all commands. */
export function createCompletion(list: () => readonly Command[]): Command {
  return command({
    name: "completion",
    summary: "Prints the completion of bash, zsh or fish",
    parameters: ["SHELL"],
    choices: Object.keys(shells),
    options: {},
    details: `
Put it where the shell looks for completions:

  voxbus completion bash > ~/.local/share/bash-completion/completions/voxbus
  voxbus completion zsh > ~/.zfunc/_voxbus        # with fpath+=~/.zfunc before compinit
  voxbus completion fish > ~/.config/fish/completions/voxbus.fish

It completes the command voxbus. In a checkout, define one, for instance in ~/.bashrc or ~/.zshrc:

  voxbus() { node ~/voxbus/apps/cli/dist/main.js "$@"; }`,
    async run({ parameters: [shell = ""] }, { print }) {
      print(shells[shell]!(list()).trimEnd());
    },
  });
}

function optionsOf({ options }: Command): readonly (readonly [name: string, option: Option])[] {
  return Object.entries<Option>({ ...options, ...commonOptions });
}

/** Writes a text in single quotes, for every shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function writeBash(commands: readonly Command[]): string {
  const names = [...commands.map(({ name }) => name), "help"];
  const values = commands.flatMap((one) =>
    optionsOf(one).flatMap(([name, option]) => {
      const words = `words=${quote((option.choices ?? []).join(" "))}${takesList(option) ? " list=1" : ""}`;
      return option.value === undefined ? [] : [`    ${quote(`${one.name} --${name}`)}) ${words} ;;`];
    }),
  );
  const firsts = commands.flatMap(({ name, choices }) =>
    choices === undefined ? [] : [`    ${quote(`${name} ${name}`)}) words=${quote(choices.join(" "))} ;;`],
  );
  const options = commands.map(
    (one) =>
      `        ${one.name}) words=${quote(
        optionsOf(one)
          .map(([name]) => `--${name}`)
          .join(" "),
      )} ;;`,
  );
  return `_voxbus() {
  local words='' list='' current=\${COMP_WORDS[COMP_CWORD]}
  if ((COMP_CWORD == 1)) || [[ \${COMP_WORDS[1]} == help ]]; then
    COMPREPLY=($(compgen -W ${quote(names.join(" "))} -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join("\n")}
${firsts.join("\n")}
    *)
      [[ $current == -* ]] || return
      case "\${COMP_WORDS[1]}" in
${options.join("\n")}
      esac
      ;;
  esac
  local last=$current
  if [[ $list ]]; then
    last=\${current##*,}
    compopt -o nospace 2> /dev/null
  fi
  COMPREPLY=($(compgen -P "\${current%"$last"}" -W "$words" -- "$last"))
}
complete -o default -F _voxbus voxbus
`;
}

function writeZsh(commands: readonly Command[]): string {
  const escape = (text: string) => text.replaceAll(/[[\]:\\]/g, (mark) => `\\${mark}`);
  const describe = ([name, option]: readonly [string, Option]) => {
    const { meaning, value, choices } = option;
    const words = choices?.join(" ");
    const action = words === undefined ? " " : takesList(option) ? `_values -s , ${name} ${words}` : `(${words})`;
    const taken = value === undefined ? "" : `:${value}:${action}`;
    return `      ${quote(`--${name}[${escape(meaning)}]${taken}`)}`;
  };
  const cases = commands.map((one) => {
    const { name, choices, parameters = [] } = one;
    const rest = [
      ...(choices === undefined ? [] : [`1:${escape(parameters[0] ?? "")}:(${choices.join(" ")})`]),
      ...(choices !== undefined && parameters.length < 2 ? [] : ["*:file:_files"]),
    ];
    return `    ${name}) _arguments \\\n${[...optionsOf(one).map(describe), ...rest.map((spec) => `      ${quote(spec)}`)].join(" \\\n")} ;;`;
  });
  const list = commands.map(({ name, summary }) => `    ${quote(`${name}:${escape(summary)}`)}`);
  return `#compdef voxbus
_voxbus() {
  local -a commands=(
${list.join("\n")}
    'help:Describes a command'
  )
  if ((CURRENT == 2)) || [[ $words[2] == help ]]; then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join("\n")}
  esac
}
# As a file of fpath it is the function itself. Otherwise it was sourced.
if [[ $funcstack[1] == _voxbus ]]; then _voxbus "$@"; else compdef _voxbus voxbus; fi
`;
}

function writeFish(commands: readonly Command[]): string {
  const lines = commands.flatMap((one) => {
    const seen = `complete -c voxbus -n '__fish_seen_subcommand_from ${one.name}'`;
    const firsts = one.choices === undefined ? [] : [`${seen} -f -a ${quote(one.choices.join(" "))}`];
    return [
      ...firsts,
      `complete -c voxbus -f -n __fish_use_subcommand -a ${one.name} -d ${quote(one.summary)}`,
      ...optionsOf(one).map(([name, option]) => {
        const { meaning, value, choices } = option;
        const words = choices?.join(" ");
        const list = takesList(option) ? `(__fish_append , ${words})` : (words ?? "");
        const taken = value === undefined ? "" : words === undefined ? " -r" : ` -x -a ${quote(list)}`;
        return `${seen} -l ${name}${taken} -d ${quote(meaning)}`;
      }),
    ];
  });
  const names = commands.map(({ name }) => name).join(" ");
  return `${lines.join("\n")}
complete -c voxbus -f -n __fish_use_subcommand -a help -d 'Describes a command'
complete -c voxbus -f -n '__fish_seen_subcommand_from help' -a ${quote(names)}
`;
}
