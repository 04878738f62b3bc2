import {
  channels,
  decodeEnvelope,
  fitsDevice,
  maxDeviceTextBytes,
  Outbound,
  type Channel,
  type InText,
  type RequestChannel,
  type Say,
  type StreamName,
} from "@voxbus/protocol";
import type { Bus } from "@voxbus/bus";
import type { z } from "zod";
import { jsonOption, readNumber } from "../arguments.ts";
import { command, CommandError, UsageError } from "../command.ts";
import { encodeJson } from "../envelope.ts";
import { toJson } from "../json.ts";
import { maxMessageBytes, readInput } from "../read-input.ts";
import { readDevice, requireChannel, type AnyChannel } from "../subjects.ts";
import type { AnyMessage } from "../turn.ts";

const maxTimeoutS = 3600;

/** Sends a message of the contract. */
export const send = command({
  name: "send",
  summary: "Sends a message, after it was checked against the contract",
  parameters: ["TARGET", "JSON"],
  options: {
    timeout: { value: "S", fallback: "5", meaning: "the longest wait for the answer to a request, in seconds" },
    ...jsonOption,
  },
  details: `
TARGET is a subject, or a device. To a device goes a message of docs/protocol.md, "Messages to the device"; a subject takes
the message of docs/bus.md, without v, with bytes as "hex f8 ff fe". The JSON - is read from standard input.

A message that breaks the contract, or has a field that readers would ignore, is not sent. The field and its limit are
named. What a stream stores is stored with its message id, and a request prints its answer.

  voxbus send kitchen '{"type": "alert", "status": "Door", "message": "Someone rings.", "emotion": "happy"}'
  voxbus send gateway.hall-8000.command '{"body": {"type": "disconnect", "device": "kitchen", "reason": "requested"}}'`,
  async run({ parameters: [target = "", given = ""], options }, { connect, print, signal, stdin }) {
    const timeoutMs = readNumber(options.timeout, "--timeout", 1, maxTimeoutS) * 1000;
    if (target.startsWith("stored.")) throw new UsageError(`only the stream publishes on ${target}.`);
    if (target.startsWith("shadow.")) throw new UsageError(`only a shadow publishes on ${target}.`);
    const isSubject = target.includes(".");
    const channel: AnyChannel = isSubject ? requireChannel(target) : channels.out(readDevice(target));
    const { schema, subject } = channel;
    const json = given === "-" ? decodeText(await readInput(stdin, maxMessageBytes)) : given;
    const bytes = encodeJson(schema, json, isSubject ? undefined : (body) => ({ kind: "text", body }));
    const sent = await deliver(await connect(), channel, { bytes, timeoutMs, signal });
    if (sent.answer !== undefined) print(toJson(options.json ? { subject, answer: sent.answer } : sent.answer));
    else if (options.json) print(toJson({ subject, bytes: bytes.byteLength, ...sent }));
    else
      print(
        sent.seq === undefined
          ? `sent on ${subject}`
          : `stored on ${subject} as ${sent.seq}${sent.duplicate ? ", again" : ""}`,
      );
  },
});

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

interface Sent {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly answer?: unknown;
}

/** Sends a message in the way of its channel. Throws DeniedError or CommandError when NATS does not permit it. */
async function deliver(bus: Bus, channel: AnyChannel, { bytes, timeoutMs, signal }: Outgoing): Promise<Sent> {
  const message: AnyMessage = decodeEnvelope(channel.schema, bytes) as AnyMessage;
  checkSize(channel, message);
  if (channel.delivery === "request") {
    const asked = channel as RequestChannel<z.ZodType, z.ZodType>;
    return { answer: await bus.request(asked, message, { timeoutMs }, signal) };
  }
  if (channel.delivery === "live") {
    bus.publish(channel as Channel<z.ZodType, "live">, bytes);
    await bus.flush();
    if (bus.stats().denied > 0) throw new CommandError(`NATS does not permit it to publish on ${channel.subject}`);
    return {};
  }
  const id = messageIdOf(message);
  const stream = channel as Channel<z.ZodType, StreamName>;
  const { seq, duplicate } = await bus.store(stream, bytes, id === undefined ? {} : { id }, signal);
  return { seq, duplicate };
}

/** Decodes UTF-8. A byte order mark is left out. Throws CommandError for any other bytes. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CommandError("the message is not UTF-8", { cause });
  }
}

/** Throws CommandError for a message to a device that its gateway would drop. */
function checkSize({ schema }: AnyChannel, message: unknown): void {
  if (schema !== Outbound) return;
  const frame = message as Outbound;
  if (frame.kind === "text" && !fitsDevice(frame.body))
    throw new CommandError(`body: must be at most ${maxDeviceTextBytes} bytes of JSON`);
}

/** Gives the message id of docs/bus.md: of a device's frame `session:seq`, of a sentence `reply:sentence`. */
function messageIdOf(message: AnyMessage): string | undefined {
  const { session, seq, reply, sentence } = message as Partial<InText & Say>;
  if (seq !== undefined) return `${session}:${seq}`;
  return sentence === undefined ? undefined : `${reply}:${sentence}`;
}
