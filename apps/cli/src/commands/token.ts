import { randomBytes } from "node:crypto";
import type { Bus } from "@voxbus/bus";
import { buckets, defaultPorts } from "@voxbus/protocol";
import { hashSecret } from "@voxbus/service";
import { jsonOption, readNumber } from "../arguments.ts";
import { command, CommandError, exitCodes, UsageError, type Shell } from "../command.ts";
import { toJson } from "../json.ts";
import { readInput } from "../read-input.ts";
import { readDevice } from "../subjects.ts";
import { askGateway } from "../token/ask-gateway.ts";

const defaultUrl = `ws://127.0.0.1:${defaultPorts.gateway.device}/xiaozhi/v1/`;
const day = 86_400_000;
const tokenBytes = 32;
const maxTokenBytes = 4096;
/** A device keeps the token before while it takes the new one over. */
const mostTokens = 2;

/** Makes, checks and revokes the tokens of devices. */
export const token = command({
  name: "token",
  summary: "Issues, verifies or revokes the tokens of a device",
  parameters: ["issue|verify|revoke", "DEVICE"],
  choices: ["issue", "verify", "revoke"],
  options: {
    days: { value: "DAYS", fallback: "365", meaning: "issue: how long the token is valid" },
    client: { value: "ID", meaning: "verify: the client id that the device sends" },
    to: { value: "URL", fallback: defaultUrl, meaning: "verify: the WebSocket of the gateway" },
    disable: { meaning: "revoke: refuse the device altogether, whatever token it has" },
    ...jsonOption,
  },
  details: `
issue makes a token of the device's own and prints it. The registry has only its hash; of earlier tokens the newest one stays
valid too. Gateways with VOXBUS_AUTH take it at once. verify reads a token from standard input and asks a gateway, as the device
would, whether it takes it; one without VOXBUS_AUTH takes anything. revoke removes the tokens in the registry. Tokens of
VOXBUS_AUTH_TOKENS and VOXBUS_AUTH_KEY stay valid, unless the device is disabled, which also ends its session.

  voxbus token issue kitchen > kitchen.token
  voxbus token verify kitchen < kitchen.token
  voxbus token revoke kitchen --disable`,
  async run({ parameters: [action, given = ""], options }, shell) {
    const device = readDevice(given);
    if (action === "verify") return verify(device, options, shell);
    const validMs = readNumber(options.days, "--days", 0.01, 3650) * day;
    const bus = await shell.connect();
    if (action === "issue") return issue(bus, { device, validMs, json: options.json }, shell);
    const revoked = await revoke(bus, device, options.disable);
    const text = `${device}: ${revoked} ${revoked === 1 ? "token" : "tokens"} revoked${options.disable ? ", device disabled" : ""}`;
    shell.print(options.json ? toJson({ device, revoked, disabled: options.disable }) : text);
    return exitCodes.ok;
  },
});

/** Makes a token and stores its hash. */
async function issue(
  bus: Bus,
  { device, validMs, json }: { readonly device: string; readonly validMs: number; readonly json: boolean },
  { print, tell }: Shell,
): Promise<number> {
  const secret = randomBytes(tokenBytes).toString("base64url");
  const now = bus.now();
  const until = Math.round(now + validMs);
  const entry = { hash: hashSecret(secret), renewAt: until, until };
  await bus.bucket(buckets.registry).modify(device, (known) => {
    if (known?.allowed === false)
      throw new CommandError(`${device} is disabled: allow it first, on the page Fleet or over the API.`);
    return { since: now, ...known, tokens: [entry, ...(known?.tokens ?? [])].slice(0, mostTokens) };
  });
  if (json) print(toJson({ device, token: secret, until }));
  else print(secret);
  tell(`The token of ${device} is valid until ${new Date(until).toISOString()}. It is shown only now.`);
  return exitCodes.ok;
}

async function revoke(bus: Bus, device: string, disable: boolean): Promise<number> {
  let revoked = 0;
  await bus.bucket(buckets.registry).modify(device, (known) => {
    revoked = known?.tokens?.length ?? 0;
    if (known === undefined && !disable) return undefined;
    const { tokens: _tokens, ...rest } = known ?? { since: bus.now() };
    return disable ? { ...rest, allowed: false } : rest;
  });
  return revoked;
}

async function verify(
  device: string,
  { to, client, json }: { readonly to: string; readonly client: string | undefined; readonly json: boolean },
  { stdin, print, signal }: Shell,
): Promise<number> {
  if (!/^wss?:/.test(to) || !URL.canParse(to)) throw new UsageError(`--to is a ws:// or wss:// URL, not "${to}".`);
  const secret = (await readInput(stdin, maxTokenBytes)).toString("utf8").trim();
  if (secret === "") throw new UsageError("The token is missing: give it on standard input.");
  const { accepted, reason } = await askGateway(to, { device, client, token: secret }, signal);
  if (json) print(toJson({ device, accepted, reason }));
  else print(accepted ? `accepted for ${device}` : `refused for ${device}: ${reason}`);
  return accepted ? exitCodes.ok : exitCodes.failed;
}
