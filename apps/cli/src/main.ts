#!/usr/bin/env node
import { commands } from "./commands/index.ts";
import { runCommandLine } from "./run.ts";
import { openShell } from "./shell.ts";

const code = await runCommandLine(commands, process.argv.slice(2), openShell());
// The reader of a pipe may not have taken everything yet.
await Promise.all(
  [process.stdout, process.stderr].map((out) => new Promise<void>((done) => out.write("", () => done()))),
);
// After an attempt to connect to a server that never greets, nats.js leaves a socket open. It would keep the process alive.
process.exit(process.exitCode ?? code);
