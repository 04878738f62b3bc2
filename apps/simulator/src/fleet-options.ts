import { parseArgs, type ParseArgsConfig } from "node:util";
import { isDeviceId, type FramingVersion } from "@voxbus/protocol";
import {
  defaultMqttUrl,
  defaultUrl,
  describeParseError,
  readChoice,
  readNumber,
  readServer,
  UsageError,
} from "./device-options.ts";
import type { FleetPlan } from "./run-fleet.ts";

/** The manual of `npm run fleet`. */
export const fleetHelp = `Runs many devices on the real protocol and measures how long they wait.

  npm run fleet -- --devices 200 --rate 2 --minutes 5

  --devices N        number of devices (10)
  --rate R           turns that begin per second, over the whole fleet (1)
  --minutes M        minutes in which turns begin (1)
  --url URL          the server (${defaultUrl}); give several to spread the devices over them
  --mqtt             devices connect over MQTT, and are idle between turns; the server is then ${defaultMqttUrl}
  --spoken SHARE     share of spoken turns, 0 to 1; the others are typed (0.5)
  --connect-rate C   devices that connect per second (50)
  --listening        devices go on listening between turns, as stock firmware does; each then sends 17 packets per second
  --prefix NAME      device ids are NAME-00001 and so on (fleet)
  --token TOKEN      bearer token of all devices
  --protocol 1|2|3   binary framing (1)
  --timeout S        seconds without a message after which a turn is lost (20)
  --help

All devices have this machine's address: for more than 1,000, raise VOXBUS_MAX_PER_ADDRESS of the gateway.
The devices say the recordings in samples/. Ctrl-C begins no more turns and prints the report.
Exit code: 1 if a turn was lost, messages came in the wrong order, or no turn began.
`;

const options = {
  devices: { type: "string", default: "10" },
  rate: { type: "string", default: "1" },
  minutes: { type: "string", default: "1" },
  url: { type: "string", multiple: true },
  mqtt: { type: "boolean", default: false },
  spoken: { type: "string", default: "0.5" },
  "connect-rate": { type: "string", default: "50" },
  prefix: { type: "string", default: "fleet" },
  token: { type: "string" },
  protocol: { type: "string", default: "1" },
  timeout: { type: "string", default: "20" },
  listening: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsConfig["options"];

const longestPrefix = 50;

/** Reads a command line; undefined if it asks for help. Throws `UsageError` with the option and its values. */
export function readFleetPlan(args: readonly string[]): FleetPlan | undefined {
  const { values } = parseOptions(args);
  if (values.help) return undefined;
  if (values.prefix.length > longestPrefix || !isDeviceId(values.prefix)) {
    throw new UsageError(`--prefix is 1 to ${longestPrefix} characters of A-Z a-z 0-9 : _ -, not "${values.prefix}".`);
  }
  return {
    devices: {
      count: readNumber(values.devices, "--devices", { least: 1, most: 50_000, whole: true }),
      urls: (values.url ?? [undefined]).map((url) => readServer(url, values.mqtt)),
      prefix: values.prefix,
      token: values.token,
      protocol: Number(readChoice(values.protocol, "--protocol", ["1", "2", "3"])) as FramingVersion,
      connectRate: readNumber(values["connect-rate"], "--connect-rate", { least: 0.1, most: 10_000 }),
      listening: values.listening,
    },
    rate: readNumber(values.rate, "--rate", { least: 0.001, most: 10_000 }),
    minutes: readNumber(values.minutes, "--minutes", { least: 0.001, most: 100_000 }),
    spoken: readNumber(values.spoken, "--spoken", { least: 0, most: 1 }),
    timeoutMs: readNumber(values.timeout, "--timeout", { least: 1, most: 3600 }) * 1000,
  };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options });
  } catch (cause) {
    throw new UsageError(describeParseError(cause), { cause });
  }
}
