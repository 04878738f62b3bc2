import { randomBytes } from "node:crypto";
import { loadPrograms } from "../docs/generate.ts";
import { readPage } from "../docs/markdown.ts";
import { writeAccounts } from "../docs/permissions.ts";
import { startGuardedNats, startProgram, type GuardedNats, type StartedProgram } from "../e2e/accounts.ts";

/** A nats-server with deploy/nats/accounts.conf and the users of a page. */
export interface PageNats extends GuardedNats {
  /** The password of the page's users, and of `observer`, who may do everything. */
  readonly password: string;
  /** Starts one of our programs under its own user. */
  startOwn(name: string, env?: Readonly<Record<string, string>>): Promise<StartedProgram>;
}

/** Starts it with the users of the block behind `<!-- users -->`, as a reader adds them to the file. */
export async function startPageNats(page: string): Promise<PageNats> {
  const users = /^<!-- users -->\n+```[a-z]*\n([^]*?)^```$/m.exec(readPage(page))?.[1] ?? "";
  const password = `p${randomBytes(12).toString("hex")}`;
  const own = await loadPrograms();
  const accounts = writeAccounts((user) => own.find(({ name }) => name === user)?.streams ?? []);
  const observing = `      { user: observer, password: "${password}" }\n`;
  const variables = [...users.matchAll(/password: \$(\w+)/g)].map(([, name = ""]) => name);
  for (const name of variables) process.env[name] = password;
  const nats = await startGuardedNats(accounts.replace(/^ {4}\]\n/m, `${users}${observing}    ]\n`));
  for (const name of variables) delete process.env[name];
  return {
    ...nats,
    password,
    startOwn(name, env = {}) {
      const secret = { VOXBUS_NATS_USER: name, VOXBUS_NATS_PASSWORD: nats.passwords[name] ?? "" };
      return startProgram(`apps/${name}/dist/main.js`, {
        name,
        env: { VOXBUS_NATS_URL: nats.server.url, ...secret, ...env },
      });
    },
  };
}
