import { command, CommandError, type Shell } from "../command.ts";
import { jsonOption, readList } from "../arguments.ts";
import { allKinds } from "../kinds.ts";
import { createLiveOutput } from "../live-output.ts";
import { listSubscriptions, readDevice } from "../subjects.ts";
import { createTailView } from "../tail-view.ts";
import { untilAborted } from "../until-aborted.ts";

/** Shows messages as they come. */
export const tail = command({
  name: "tail",
  summary: "Shows the messages of the bus as they come, decoded",
  parameters: ["[PATTERN]"],
  options: {
    device: { value: "ID", meaning: "only messages from, for and about this device, without those for a group" },
    kind: { value: "KIND,KIND", choices: allKinds, meaning: "only these kinds" },
    turn: { value: "TURN", meaning: "only this turn: its origin, SESSION:ORIGIN, or the id of its reply" },
    ...jsonOption,
  },
  details: `
PATTERN is a pattern of subjects. The default is all subjects of the contract, also those of shadows. What is published on
another subject, such as one with a typo, is not shown. Audio is folded to one line a second.
The messages of a turn have one color. A malformed message is red, with the field and its limit, not its value. So is what
programs report as dropped; the rest of their numbers is shown only if PATTERN or --kind names stats.

It shows what people say. It needs only the permission to subscribe, as the user listener has it, and leaves out what NATS
does not permit. Lines for which a slow reader has no room are counted and left out. Ctrl-C ends it.

  voxbus tail
  voxbus tail 'device.kitchen.>' --kind heard,say,bad
  voxbus tail 'shadow.next.>'
  voxbus tail --turn 31 --json`,
  async run({ parameters: [pattern = ">"], options }, shell) {
    const kinds = options.kind === undefined ? undefined : new Set(readList(options.kind));
    const device = options.device === undefined ? undefined : readDevice(options.device);
    const subjects = listSubscriptions(pattern, device);
    const output = createLiveOutput(shell, "lines");
    const view = createTailView({
      print: (line) => output.offer(() => shell.print(line)),
      paint: shell.paint,
      json: options.json,
      select: { device, kinds, turn: options.turn, allStats: /^(?:shadow\.[^.]+\.)?stats\./.test(pattern) },
    });
    await follow(shell, { pattern, subjects, view });
    view.flush();
    output.end();
  },
});

/** The subjects to follow, and where their messages are shown. */
interface Followed {
  readonly pattern: string;
  readonly subjects: readonly string[];
  readonly view: ReturnType<typeof createTailView>;
}

/** Shows messages until Ctrl-C, or until its reader goes away. Throws CommandError when NATS permits none of the subjects. */
async function follow(shell: Shell, { pattern, subjects, view }: Followed): Promise<void> {
  const bus = await shell.connect();
  for (const subject of subjects) bus.subscribeRaw(subject, (message) => view.show(message, Date.now()));
  await bus.flush();
  if (bus.stats().denied >= subjects.length) throw new CommandError(`NATS permits none of the subjects of ${pattern}`);
  shell.tell(`voxbus: following ${pattern}, Ctrl-C ends it`);
  await untilAborted(shell.signal, shell.readerGone);
}
