import { closeCodes } from "@voxbus/protocol";
import { ConnectionError, type Identity } from "./connection.ts";
import { chat, converse } from "./conversation.ts";
import type { DeviceOptions } from "./device-client.ts";
import { deviceHelp, readDeviceCommand, type DeviceCommand } from "./device-options.ts";
import { createDeviceTools } from "./device-tools.ts";
import { fetchBootSettings } from "./ota.ts";
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
  const nothingToSay = command !== undefined && !command.script && command.inputs.length === 0;
  if (command === undefined || (nothingToSay && !process.stdin.isTTY)) {
    console.log(deviceHelp);
    return command === undefined ? 0 : 1;
  }
  const print = (text: string) => console.log(text);
  const identity = await boot(command, command.script ? undefined : print, signal);
  const device: DeviceOptions = {
    ...identity,
    mode: command.mode,
    silence: encodeSilence(),
    tools: command.tools ? createDeviceTools() : undefined,
    sayHello: command.sayHello,
    answerPings: command.answerPings,
    listenAgain: command.listenAgain,
  };
  const { out = "answer.wav", patienceMs } = command;
  if (command.script) {
    const { stdin: input, stdout: output } = process;
    return runScript({ device, out: command.out, hex: command.hex, patienceMs, input, output }, signal);
  }
  if (command.inputs.length > 0) await converse({ device, out, patienceMs, print }, command.inputs, signal);
  else {
    print("Type a line; an empty one interrupts, Ctrl-D ends.");
    await chat({ device, out, patienceMs, print }, process.stdin, signal);
  }
  return 0;
}

async function boot(command: DeviceCommand, print?: (text: string) => void, signal?: AbortSignal): Promise<Identity> {
  if (command.ota === undefined) return command;
  const { url, token, protocol, activation } = await fetchBootSettings(command.ota, command, signal);
  print?.(`${command.ota} hands out ${url}, framing ${protocol}, ${token === undefined ? "no token" : "a token"}.`);
  if (activation !== undefined) print?.(`It wants this device activated: ${activation}`);
  return { ...command, url, token: command.token ?? token, protocol };
}

function explain(error: unknown): string {
  if (!(error instanceof ConnectionError)) return error instanceof Error ? error.message : String(error);
  const { code, status, message } = error;
  if (code === "unreachable") {
    return `No server answers there (${message}). Start one with \`npm start\` in another shell, or name another with --url.`;
  }
  const said = `${message.charAt(0).toUpperCase()}${message.slice(1)}`.replace(/\.?$/, ".");
  if (code === "no-hello") return `${said} Is it a voxbus server, and is it well?`;
  if (status === 401 || status === 403) return `${said} It wants a token: --token, or --ota to be handed one.`;
  return status === closeCodes.replaced.code ? `${said} Give each device its own --id.` : said;
}
