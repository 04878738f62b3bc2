import type { Command } from "../command.ts";
import { backup } from "./backup.ts";
import { check } from "./check.ts";
import { createCompletion } from "./completion.ts";
import { config } from "./config.ts";
import { devices } from "./devices.ts";
import { doctor } from "./doctor.ts";
import { gateways } from "./gateways.ts";
import { listen } from "./listen.ts";
import { newCommand } from "./new.ts";
import { profiles } from "./profiles.ts";
import { recordCommand } from "./record.ts";
import { replayCommand } from "./replay.ts";
import { restore } from "./restore.ts";
import { say } from "./say.ts";
import { send } from "./send.ts";
import { tail } from "./tail.ts";
import { token } from "./token.ts";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  tail,
  say,
  send,
  listen,
  check,
  recordCommand,
  replayCommand,
  newCommand,
  doctor,
  config,
  devices,
  token,
  profiles,
  gateways,
  backup,
  restore,
  createCompletion(() => commands),
];
