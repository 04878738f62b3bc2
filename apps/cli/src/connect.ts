import {
  busConfig,
  checkBusConfig,
  connectBus,
  NatsSetupError,
  type Bus,
  type BusConfig,
  type BusLog,
} from "@voxbus/bus";
import { ConfigError, nameCause, readConfig } from "@voxbus/service";
import { CommandError } from "./command.ts";

/** The name under which NATS lists the connection. Answers come on `_INBOX.cli.>`. */
const name = "cli";

type Fields = Readonly<Record<string, unknown>>;

/** The surroundings of a connection: the variables, a line for the user, and its end. */
export interface ConnectShell {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Connects to the bus with the variables of every program. Tries and throws as `connectOnce` does. */
export function connect(shell: ConnectShell): Promise<Bus> {
  return connectOnce(shell, (config, log, signal) => connectBus({ ...config, streams: [] }, log, signal));
}

/**
 * Connects with the variables of every program. It tries once: a person waits. After that, a lost connection comes back by
 * itself, and `tell` gets a line about each change. Throws CommandError when NATS cannot be reached or used, ConfigError
 * when a variable is wrong.
 */
export async function connectOnce<T>(
  { env, tell, signal }: ConnectShell,
  open: (config: BusConfig & { readonly name: string }, log: BusLog, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { config } = readConfig(busConfig, env);
  const problems = checkBusConfig(config);
  if (problems.length > 0) throw new ConfigError(problems);
  const away = new AbortController();
  let isConnected = false;
  const write = (fields: object, message: string) => {
    const { err, url, suppressed, ...rest } = fields as Fields;
    if (isConnected || err === undefined)
      return tell(describe({ ...rest, err, ...(suppressed ? { suppressed } : {}) }, message));
    const hint = "Start a system with `npm start`, or set VOXBUS_NATS_URL.";
    return away.abort(new CommandError(`NATS at ${String(url)} cannot be reached (${nameCause(err)}). ${hint}`));
  };
  const log: BusLog = { info: write, warn: write, error: write };
  try {
    const opened = await open({ ...config, name }, log, AbortSignal.any([signal, away.signal]));
    isConnected = true;
    return opened;
  } catch (cause) {
    if (away.signal.aborted) throw away.signal.reason;
    if (cause instanceof NatsSetupError) throw new CommandError(cause.message, { cause });
    throw cause;
  }
}

/** Writes a line of the bus's log for a person. */
function describe({ err, ...fields }: Fields, message: string): string {
  const all: Fields = err === undefined ? fields : { ...fields, error: nameCause(err) };
  const known = Object.entries(all).filter(([, value]) => value !== undefined);
  return [
    message,
    ...known.map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`),
  ].join(" ");
}
