import type { Readable } from "node:stream";
import { decodeEnvelope, ProtocolError } from "@voxbus/protocol";
import { jsonOption } from "../arguments.ts";
import { decodeEntry, findBucketRow } from "../bucket-entry.ts";
import { command, CommandError, exitCodes, UsageError } from "../command.ts";
import { toJson } from "../json.ts";
import { maxMessageBytes, readInput } from "../read-input.ts";
import { requireChannel } from "../subjects.ts";

/** Checks a message against the contract. */
export const check = command({
  name: "check",
  summary: "Decodes a message from standard input and checks it against the contract of its subject",
  parameters: ["SUBJECT"],
  options: {
    hex: { meaning: "the input is hexadecimal text, as in docs/bus.md" },
    answer: { meaning: "the message is the answer to a request on the subject" },
    ...jsonOption,
  },
  details: `
Prints the message as JSON, bytes as "hex …". For a malformed message it prints the field and its limit, not the value, and
exits with 1. It needs no NATS. SUBJECT may also be that of a key of a bucket: then the input is JSON.

  voxbus check device.kitchen.heard < message.bin
  echo "81 a1 76 01" | voxbus check device.kitchen.heard --hex
  echo '{"language": "de"}' | voxbus check '$KV.voxbus_profiles.kitchen'`,
  async run({ parameters: [given = ""], options }, { stdin, print, paint }) {
    const { subject, decode } = findContract(given, options.answer);
    const bytes = await readBytes(stdin, options.hex);
    try {
      const message = decode(bytes);
      print(options.json ? toJson({ subject, message }) : toJson(message, 2));
      return exitCodes.ok;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const { code, field, message } = error;
      print(options.json ? toJson({ subject, code, field, problem: message }) : paint("red", `${code}: ${message}`));
      return exitCodes.failed;
    }
  },
});

/** Finds the rules for the bytes on a subject of messages, or under a key of a bucket. Throws UsageError. */
function findContract(given: string, isAnswer: boolean) {
  const row = findBucketRow(given);
  const { subject, schema, answer } =
    row === undefined ? requireChannel(given) : { subject: given, schema: row.schema };
  if (isAnswer && answer === undefined) throw new UsageError(`"${subject}" has no answer.`);
  return {
    subject,
    decode: (bytes: Uint8Array): unknown =>
      row === undefined
        ? decodeEnvelope(isAnswer && answer !== undefined ? answer : schema, bytes)
        : decodeEntry(row, bytes),
  };
}

async function readBytes(stdin: Readable, isHex: boolean): Promise<Uint8Array> {
  if (!isHex) return readInput(stdin, maxMessageBytes);
  const digits = (await readInput(stdin, maxMessageBytes * 4)).toString("latin1").replaceAll(/\s+/g, "");
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new CommandError("the input is not pairs of hexadecimal digits");
  return Buffer.from(digits, "hex");
}
