import { closeCodes } from "@voxbus/protocol";
import { ConnectionError, type Identity } from "./connection.ts";
import { chat, converse } from "./conversation.ts";
import type { DeviceOptions } from "./client.ts";
import { deviceHelp, readDeviceCommand, UsageError, type DeviceCommand } from "./device-options.ts";
import { createDeviceTools } from "./device-tools.ts";
import { shapeAnswers } from "./mcp-shapes.ts";
import { awaitActivation, fetchBootSettings, type ActivationRequest } from "./ota.ts";
import { runScript } from "./script.ts";
import { encodeSilence } from "./utterance.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

try {
  process.exitCode = await runDevice(process.argv.slice(2), stop.signal);
} catch (error) {
  if (!stop.signal.aborted) console.error(explain(error));
  process.exitCode = 1;
}

async function runDevice(args: readonly string[], signal: AbortSignal): Promise<number> {
  const command = readDeviceCommand(args);
  if (command === undefined) {
    console.log(deviceHelp);
    return 0;
  }
  if (!command.script && command.inputs.length === 0 && !process.stdin.isTTY)
    throw new UsageError("The device needs --wav, --text, --wake, --noise or --script, or a terminal to type in.");
  const print = (text: string) => console.log(text);
  const { mode, quirks, mcp, script, out = "answer.wav", timeoutMs } = command;
  const device: DeviceOptions = {
    identity: await boot(command, script ? undefined : print, signal),
    mode,
    silence: encodeSilence(),
    tools: quirks.noTools ? undefined : shapeAnswers(createDeviceTools(), mcp),
    quirks,
  };
  if (script) {
    const { stdin: input, stdout: output } = process;
    return runScript({ device, out: command.out, hex: script.hex, timeoutMs, input, output }, signal);
  }
  if (command.inputs.length > 0) await converse({ device, out, timeoutMs, print }, command.inputs, signal);
  else {
    print("Type a line; an empty one interrupts, Ctrl-D ends.");
    await chat({ device, out, timeoutMs, print }, process.stdin, signal);
  }
  return 0;
}

async function boot(command: DeviceCommand, print?: (text: string) => void, signal?: AbortSignal): Promise<Identity> {
  const { identity, ota, activate, board } = command;
  if (ota === undefined) return identity;
  const booting = { ota, identity, board };
  const told = ({ message }: ActivationRequest) => {
    print?.(`It asks for an activation of this device: ${message.replaceAll("\n", " ")}`);
  };
  const settings = await (activate ? awaitActivation(booting, told, signal) : fetchBootSettings(booting, signal));
  const { url, token, protocol, activation, update } = settings;
  print?.(`${ota} returned ${url}, framing ${protocol}, ${token === undefined ? "no token" : "a token"}.`);
  if (update !== undefined) print?.(`It offers firmware ${update}, which a simulated device does not install.`);
  if (activation !== undefined) told(activation);
  return { ...identity, url, token: identity.token ?? token, protocol };
}

function explain(error: unknown): string {
  if (!(error instanceof ConnectionError)) return error instanceof Error ? error.message : String(error);
  const { code, status, message } = error;
  if (code === "unreachable") {
    return `Cannot reach the server (${message}). Start one with \`npm start\` in another shell, or name another with --url.`;
  }
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}`.replace(/\.?$/, ".");
  if (code === "no-hello") return `${sentence} Check that it is a voxbus server and ready.`;
  if (status === 401 || status === 403) return `${sentence} Give it a token with --token, or get one with --ota.`;
  return status === closeCodes.replaced.code ? `${sentence} Give each device its own --id.` : sentence;
}
