import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createNames } from "@voxbus/bus";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { grants } from "../docs/grants.ts";
import { nameUser, passwordVariable } from "../docs/permissions.ts";
import { freePorts } from "./launcher.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A nats-server with deploy/nats/accounts.conf. */
export interface GuardedNats {
  readonly server: NatsServer;
  readonly passwords: Readonly<Record<string, string>>;
  /** Connects as one of the users, of the system with a prefix. */
  connectAs(user: string, prefix?: string): Promise<NatsConnection>;
}

/**
 * Starts a nats-server with deploy/nats/accounts.conf, or with `accounts` for the systems with these prefixes, and random
 * passwords.
 */
export async function startGuardedNats(accounts?: string, prefixes: readonly string[] = [""]): Promise<GuardedNats> {
  const users = prefixes.flatMap((prefix) =>
    grants.map(({ user }) => ({ name: nameUser(user, prefix), variable: passwordVariable({ user }, prefix) })),
  );
  const passwords = Object.fromEntries(users.map(({ name }) => [name, `p${randomBytes(12).toString("hex")}`]));
  for (const { name, variable } of users) process.env[variable] = passwords[name];
  // nats-server resolves an include from the folder of its settings, which is one below the temporary one.
  const file = relative(join(tmpdir(), "any"), join(root, "deploy/nats/accounts.conf"));
  // Those settings of deploy/nats are in the server's own already.
  const config = accounts?.slice(accounts.indexOf("accounts {")) ?? `include ${JSON.stringify(file)}`;
  const server = await startNatsServer({ config });
  for (const { variable } of users) delete process.env[variable];
  return {
    server,
    passwords,
    connectAs: (user, prefix = "") =>
      connect({
        servers: server.url,
        user: nameUser(user, prefix),
        pass: passwords[nameUser(user, prefix)] ?? "",
        inboxPrefix: createNames(prefix).inboxPrefix(user),
        noAsyncTraces: true,
      }),
  };
}

/** A line of a program's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

/** A program in its own process. */
export interface StartedProgram {
  readonly name: string;
  /** Its addresses by name, as in its line `ready`. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly lines: readonly LogLine[];
  /** Everything that it printed. */
  output(): string;
  isRunning(): boolean;
  /** Kills it without a chance to clean up. */
  kill(): void;
  /** Sends SIGINT and resolves with the exit code. */
  end(): Promise<number | null>;
}

/** Starts a program, and resolves when it is ready. Rejects with its output if it ends before. */
export async function startProgram(
  main: string,
  { name, env }: { readonly name: string; readonly env: Readonly<Record<string, string>> },
): Promise<StartedProgram> {
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("VOXBUS_"));
  const child: ChildProcess = spawn(process.execPath, [join(root, main)], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...freePorts, VOXBUS_LOG_FORMAT: "json", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const lines: LogLine[] = [];
  let output = "";
  const ready = new Promise<LogLine>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (text) => {
        output += `${text}\n`;
        if (!text.startsWith("{")) return;
        const line = JSON.parse(text) as LogLine;
        lines.push(line);
        if (line.msg === "ready") resolve(line);
      });
    }
    void exited.then(() => reject(new Error(`${name} ended before it was ready:\n${output}`)));
  });
  const addresses = (await ready) as Readonly<Record<string, string>>;
  return {
    name,
    addresses,
    lines,
    output: () => output,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: () => void child.kill("SIGKILL"),
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      await exited;
      return child.exitCode;
    },
  };
}
