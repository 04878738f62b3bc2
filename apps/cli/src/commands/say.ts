import {
  channels,
  emotions,
  isLanguage,
  maxKeepMs,
  maxKeptText,
  receiptReportMs,
  type Receipt,
  type TurnPlayed,
} from "@voxbus/protocol";
import { createSend, type Bus, type Emotion } from "@voxbus/subscriber";
import { jsonOption, readNumber } from "../arguments.ts";
import { command, CommandError, exitCodes, UsageError } from "../command.ts";
import { toJson, toText } from "../json.ts";
import { readDevice } from "../subjects.ts";

const maxWaitS = 3600;

/** Lets a device speak a text. */
export const say = command({
  name: "say",
  summary: "Announces a text on a device",
  parameters: ["DEVICE", "TEXT"],
  options: {
    emotion: { value: "EMOTION", choices: emotions, meaning: "the face that the device shows" },
    language: {
      value: "TAG",
      meaning: "the language of the text, such as en or zh-CN; else that of the device's profile",
    },
    keep: {
      value: "S",
      meaning: "keep it this many seconds for a device that is away, which is told at its next hello",
    },
    wait: { meaning: "wait until it was spoken, or an idle device has answered to its text" },
    timeout: { value: "S", fallback: "60", meaning: "the longest wait, in seconds" },
    ...jsonOption,
  },
  details: `
The device speaks it as soon as it is silent. One that is idle over MQTT shows it. A device that is offline does not, and does
not later, except with --keep. With --wait the exit code is 0 only if it was spoken to the end, or the idle device has answered.

  voxbus say kitchen "Dinner is ready." --wait
  voxbus say kitchen "The laundry is done." --keep 3600`,
  async run({ parameters: [given = "", text = ""], options }, { connect, print, signal }) {
    const device = readDevice(given);
    const { emotion, language } = options;
    const waitMs = readNumber(options.timeout, "--timeout", 1, maxWaitS) * 1000;
    const keepS = options.keep === undefined ? undefined : readNumber(options.keep, "--keep", 1, maxKeepMs / 1000);
    if (keepS !== undefined && options.wait)
      throw new UsageError("--wait cannot wait for what --keep keeps: leave one out.");
    if (keepS !== undefined && text.length > maxKeptText)
      throw new UsageError(`TEXT to keep has at most ${maxKeptText} characters.`);
    if (text.trim() === "") throw new UsageError("TEXT is empty.");
    if (language !== undefined && !isLanguage(language))
      throw new UsageError("--language is a BCP 47 tag such as en or zh-CN.");
    const bus = await connect();
    const ends = options.wait ? watchEnds(bus, device) : undefined;
    if (ends !== undefined) {
      await bus.flush();
      if (bus.stats().denied > 0)
        throw new CommandError(
          `NATS does not permit it to hear how the announcement ends on ${device}: leave out --wait`,
        );
    }
    const how = {
      emotion: emotion as Emotion | undefined,
      language,
      ...(keepS !== undefined && { keepMs: Math.round(keepS * 1000) }),
    };
    const { reply } = await createSend(bus)
      .say(device, text, how, signal)
      .catch((cause: unknown) => {
        throw cause instanceof RangeError ? new UsageError(`TEXT: ${cause.message}.`, { cause }) : cause;
      });
    if (ends === undefined) {
      print(options.json ? toJson({ device, reply }) : `stored for ${device}, reply ${reply}`);
      return exitCodes.ok;
    }
    const end = await ends.of(reply, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]));
    if (end === undefined && signal.aborted) return exitCodes.interrupted;
    if (end === undefined)
      throw new CommandError(`${device} did not speak it within ${waitMs / 1000} s: it may be offline`);
    const { complete, reason } = end.turn;
    const isSpoken = complete && reason === undefined;
    const told = isSpoken ? `spoken by ${device}` : `not spoken: ${toText(reason ?? "cut")}`;
    const shown = reason === "no-channel" ? `shown by ${device}: ${end.receipt ?? "no receipt"}` : told;
    print(options.json ? toJson({ device, reply, complete, reason, receipt: end.receipt }) : shown);
    return isSpoken || end.receipt === "delivered" ? exitCodes.ok : exitCodes.failed;
  },
});

/** The end of an announcement. An idle device shows it, and answers. */
interface End {
  readonly turn: TurnPlayed;
  readonly receipt?: Receipt["result"] | undefined;
}

/** Watches for the ends of a device's announcements. */
function watchEnds(bus: Bus, device: string) {
  const turns = new Map<string, TurnPlayed>();
  const receipts = new Map<string, Receipt["result"]>();
  let changed = (): void => undefined;
  const closer = bus.subscribe(channels.event(device), ({ turn, receipt }) => {
    if (turn?.reply !== undefined && turn.origin === undefined) turns.set(turn.reply, turn);
    if (receipt?.reply !== undefined) receipts.set(receipt.reply, receipt.result);
    changed();
  });
  return {
    /** Resolves with the end of a reply, or undefined when `signal` aborts. */
    of: (reply: string, signal: AbortSignal) =>
      new Promise<End | undefined>((resolve) => {
        let late: NodeJS.Timeout | undefined;
        const end = () => {
          const turn = turns.get(reply);
          clearTimeout(late);
          closer.close();
          resolve(turn && { turn, receipt: receipts.get(reply) });
        };
        changed = () => {
          const turn = turns.get(reply);
          if (signal.aborted || (turn && (turn.reason !== "no-channel" || receipts.has(reply)))) end();
          else if (turn) late ??= setTimeout(end, receiptReportMs);
        };
        signal.addEventListener("abort", () => changed(), { once: true });
        changed();
      }),
  };
}
