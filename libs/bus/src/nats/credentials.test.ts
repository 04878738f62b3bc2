import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { LoginConfig } from "../config.ts";
import { connectOwnBus } from "../test-bus.ts";
import { checkBusConfig } from "./credentials.ts";

/** Ends the wait for a server that does not let a client in. */
const patienceMs = 5000;

let directory: string;
const servers: NatsServer[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "voxbus-login-"));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string): string {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
}

async function start(config: string): Promise<NatsServer> {
  const server = await startNatsServer({ config });
  servers.push(server);
  return server;
}

async function connects(url: string, config: Partial<LoginConfig> = {}): Promise<void> {
  const signal = AbortSignal.timeout(patienceMs);
  const bus = await connectOwnBus(url, { config, streams: [], signal });
  await bus.close();
}

describe("NATS credentials", () => {
  const secret = "4222:p@ss/w,rd %";

  test("a user with a password: in the URL, in variables, and in a file", async () => {
    const { url } = await start(`authorization { user: "a:b", password: ${JSON.stringify(secret)} }`);
    const host = url.replace("nats://", "");
    await connects(`nats://a%3Ab:${encodeURIComponent(secret)}@${host}`);
    await connects(url, { VOXBUS_NATS_USER: "a:b", VOXBUS_NATS_PASSWORD: secret });
    await connects(url, { VOXBUS_NATS_USER: "a:b", VOXBUS_NATS_PASSWORD_FILE: write("password", `${secret}\n`) });
    await expect(connects(url)).rejects.toThrow(`NATS at ${url} cannot be used: `);
  });

  test("a token: in the URL, in a variable, and in a file", async () => {
    const { url } = await start(`authorization { token: ${JSON.stringify(secret)} }`);
    await connects(url.replace("//", `//${encodeURIComponent(secret)}@`));
    await connects(url, { VOXBUS_NATS_TOKEN: secret });
    await connects(url, { VOXBUS_NATS_TOKEN_FILE: write("token", `${secret}\n`) });
    await expect(connects(url, { VOXBUS_NATS_TOKEN: "other" })).rejects.toThrow("cannot be used");
  });

  test("an nkey: its seed in a variable and in a file", async () => {
    const pair = nkeys.createUser();
    const { url } = await start(`authorization { users: [ { nkey: ${pair.getPublicKey()} } ] }`);
    const seed = new TextDecoder().decode(pair.getSeed());
    await connects(url, { VOXBUS_NATS_NKEY: seed });
    await connects(url, { VOXBUS_NATS_NKEY_FILE: write("seed", `${seed}\n`) });
    const other = new TextDecoder().decode(nkeys.createUser().getSeed());
    await expect(connects(url, { VOXBUS_NATS_NKEY: other })).rejects.toThrow("cannot be used");
  });

  test("a client certificate with its key", async () => {
    makeCertificates(directory);
    const at = (name: string) => join(directory, name);
    const files = ["cert", "key", "ca"].map((name) => `${name}_file: ${JSON.stringify(at(`server.${name}`))}`);
    const server = await start(`tls { ${files.join(", ")}, verify: true }`);
    const url = server.url.replace("127.0.0.1", "localhost");
    const config = { VOXBUS_NATS_CA: at("server.ca") };
    await connects(url, { ...config, VOXBUS_NATS_CERT: at("client.cert"), VOXBUS_NATS_KEY: at("client.key") });
    await expect(connects(url, config)).rejects.toThrow(
      /^NATS at \S+ cannot be used: it refuses the client certificate/,
    );
    expect(
      checkBusConfig(configOf({ VOXBUS_NATS_CERT: at("client.cert"), VOXBUS_NATS_KEY: at("server.key") })),
    ).toEqual([expect.stringMatching(/^VOXBUS_NATS_CERT, VOXBUS_NATS_KEY: the files cannot be used/)]);
  });

  test("a server without TLS gets no credentials of a tls:// URL", async () => {
    const { url } = await start(`authorization { token: "t" }`);
    const signal = AbortSignal.timeout(500);
    await expect(connectOwnBus(url.replace("nats://", "tls://t@"), { streams: [], signal })).rejects.toThrow();
  });

  test("a changed file is used at the next reconnect; while it is unreadable, its last content", async () => {
    const login = (password: string) => write("login.conf", `authorization { user: "u", password: "${password}" }`);
    login("one");
    const file = write("changing", "one");
    const server = await start(`include "../${basename(directory)}/login.conf"`);
    const warnings: object[] = [];
    const log = { ...silentLog, warn: (fields: object, message: string) => void warnings.push({ ...fields, message }) };
    const config = { VOXBUS_NATS_USER: "u", VOXBUS_NATS_PASSWORD_FILE: file };
    const bus = await connectOwnBus(server.url, { config, streams: [], log });
    login("two");
    write("changing", "two");
    await server.restart();
    await vi.waitFor(() => expect(bus.stats().reconnects).toBe(1), patienceMs);
    rmSync(file);
    await server.restart();
    await vi.waitFor(() => expect(bus.stats().reconnects).toBe(2), patienceMs);
    const reason = `VOXBUS_NATS_PASSWORD_FILE: cannot read ${file} (ENOENT)`;
    expect(warnings).toContainEqual({ reason, message: "NATS credentials unreadable, using the last ones" });
    await bus.close();
  });

  test("changed certificates are used at the next reconnect; while they do not fit, the log says why", async () => {
    makeCertificates(directory);
    const at = (name: string) => join(directory, name);
    const files = ["cert", "key", "ca"].map((name) => `${name}_file: ${JSON.stringify(at(`server.${name}`))}`);
    const server = await start(`tls { ${files.join(", ")}, verify: true }`);
    const warnings: object[] = [];
    const log = { ...silentLog, warn: (fields: object, message: string) => void warnings.push({ ...fields, message }) };
    const [VOXBUS_NATS_CA, VOXBUS_NATS_CERT, VOXBUS_NATS_KEY] = [at("ca.copy"), at("client.cert"), at("client.key")];
    copyFileSync(at("server.ca"), VOXBUS_NATS_CA);
    const config = { VOXBUS_NATS_CA, VOXBUS_NATS_CERT, VOXBUS_NATS_KEY };
    const bus = await connectOwnBus(server.url.replace("127.0.0.1", "localhost"), { config, streams: [], log });
    makeCertificates(directory);
    await server.restart();
    await vi.waitFor(() => expect(JSON.stringify(warnings)).toContain("its certificate cannot be trusted"), patienceMs);
    copyFileSync(at("server.ca"), VOXBUS_NATS_CA);
    await vi.waitFor(() => expect(bus.stats().reconnects).toBe(1), patienceMs);
    await bus.close();
  });

  test.each<[string, Partial<LoginConfig>, readonly string[]]>([
    ["nothing", {}, []],
    ["a user without a password", { VOXBUS_NATS_USER: "u" }, []],
    [
      "a password and its file",
      { VOXBUS_NATS_USER: "u", VOXBUS_NATS_PASSWORD: "s3cret", VOXBUS_NATS_PASSWORD_FILE: "/dev/null" },
      ["VOXBUS_NATS_PASSWORD, VOXBUS_NATS_PASSWORD_FILE: expected one of them, both are set"],
    ],
    [
      "a password without a user",
      { VOXBUS_NATS_PASSWORD: "s3cret" },
      ["VOXBUS_NATS_PASSWORD: VOXBUS_NATS_USER is missing"],
    ],
    [
      "a user and a token",
      { VOXBUS_NATS_USER: "u", VOXBUS_NATS_TOKEN: "s3cret" },
      ["VOXBUS_NATS_USER, VOXBUS_NATS_TOKEN: expected one way to sign in to NATS, these are 2"],
    ],
    [
      "a URL with a user, and a token",
      { VOXBUS_NATS_URL: "nats://u:s3cret@host", VOXBUS_NATS_TOKEN: "s3cret" },
      ["VOXBUS_NATS_URL, VOXBUS_NATS_TOKEN: expected one way to sign in to NATS, these are 2"],
    ],
    [
      "servers with different credentials",
      { VOXBUS_NATS_URL: "nats://u:s3cret@a,nats://u:s3cret2@b" },
      ["VOXBUS_NATS_URL: expected the same credentials for all servers"],
    ],
    [
      "a certificate without its key",
      { VOXBUS_NATS_CERT: "/dev/null" },
      ["VOXBUS_NATS_CERT: VOXBUS_NATS_KEY is missing", "VOXBUS_NATS_CERT: the files cannot be used"],
    ],
    [
      "an unreadable file",
      { VOXBUS_NATS_TOKEN_FILE: "/nowhere" },
      ["VOXBUS_NATS_TOKEN_FILE: cannot read /nowhere (ENOENT)"],
    ],
    ["an unreadable CA", { VOXBUS_NATS_CA: "/nowhere" }, ["VOXBUS_NATS_CA: cannot read /nowhere (ENOENT)"]],
    ["an empty file", { VOXBUS_NATS_TOKEN_FILE: "/dev/null" }, ["VOXBUS_NATS_TOKEN_FILE: /dev/null is empty"]],
    ["an invalid seed", { VOXBUS_NATS_NKEY: "s3cret" }, ["VOXBUS_NATS_NKEY: the content is not an nkey seed"]],
    [
      "an invalid credentials file",
      { VOXBUS_NATS_CREDS: "/dev/null" },
      ["VOXBUS_NATS_CREDS: the content is not a credentials file"],
    ],
    ...(
      [
        ["a comma in a password", "nats://u:s3c,ret@host", 1, "has a port that is not from 1 to 65535. In a password"],
        ["WebSockets", "ws://s3cret@host", 1, "begins with neither nats:// nor tls://"],
        ["a scheme with one slash", "nats:/host:4222", 1, "begins with neither"],
        ["a trailing comma", "nats://host:4222,", 2, "is empty: remove a comma"],
        ["a blank between commas", "nats://a:1, ,nats://b:1", 2, "is empty"],
        ["a space", "nats://host: 4222", 1, "has a space in it"],
        ["servers separated by a space", "nats://a:1 nats://b:1", 1, "has a space in it: separate servers by commas"],
        ["servers separated by a semicolon", "nats://a:1;nats://b:1", 1, "has something behind its port"],
        ["quotation marks", '"nats://host:4222"', 1, "has quotation marks around it"],
        ["no host", "nats://", 1, "has no host"],
        ["a port alone", "nats://:4222", 1, "has no host"],
        ["credentials alone", "nats://u:s3cret@", 1, "has no host"],
        ["a port that is too high", "nats://host:99999", 1, "has a port that is not from 1 to 65535"],
        ["port 0", "nats://host:0", 1, "has a port that is not from 1 to 65535"],
        ["a port that is a word", "nats://host:s3cret", 1, "has a port that is not from 1 to 65535"],
        ["a colon without a port", "nats://host:", 1, "has a port that is not from 1 to 65535"],
        ["IPv6 without brackets", "nats://::1:4222", 1, "has an IPv6 address without brackets"],
        ["a path", "nats://host:4222/s3cret", 1, "has something behind its port"],
        ["a query", "nats://host?token=s3cret", 1, "has something behind its port"],
        ["a host that cannot exist", "nats://a..b:4222", 1, "has a host that is neither a name nor an address"],
        ["an unset variable of a shell", "nats://${HOST}:4222", 1, "has a host that is neither"],
      ] as const
    ).map(([title, VOXBUS_NATS_URL, server, is]): [string, Partial<LoginConfig>, readonly string[]] => [
      title,
      { VOXBUS_NATS_URL },
      [`VOXBUS_NATS_URL: expected nats://host:port; server ${server} ${is}`],
    ]),
    ["a % in a password", { VOXBUS_NATS_URL: "nats://u:s3cret%@host" }, ["VOXBUS_NATS_URL: the credentials hold a %"]],
    ["a wrong escape", { VOXBUS_NATS_URL: "nats://u:s3cret%zz@host" }, ["VOXBUS_NATS_URL: the credentials hold a %"]],
    ["commas alone", { VOXBUS_NATS_URL: ", " }, ["server 1 is empty", "server 2 is empty"]],
    ["spaces around servers", { VOXBUS_NATS_URL: " nats://a:1 , tls://[::1]/ " }, []],
    ["a CA that is no certificate", { VOXBUS_NATS_CA: "/etc/hostname" }, ["VOXBUS_NATS_CA: the files cannot be used"]],
    ["a folder", { VOXBUS_NATS_CREDS: "/etc" }, ["VOXBUS_NATS_CREDS: cannot read /etc (EISDIR)"]],
  ])("%s: contradictions are named, and secrets are not quoted", (_, config, problems) => {
    const found = checkBusConfig(configOf(config));
    expect(found).toEqual(problems.map((problem) => expect.stringContaining(problem) as unknown));
    expect(found.join()).not.toMatch(/s3c/);
  });

  test("a password with special characters appears in no error and no log line", async () => {
    const { url } = await start(`authorization { token: "right" }`);
    const port = Number(new URL(url).port);
    const lines: unknown[] = [];
    const note = (fields: object, message: string) => void lines.push(fields, message);
    const log = { info: note, warn: note, error: note };
    const login = `us3r:s3c:r@t/s3c`;
    const refused = connectOwnBus(`nats://${login}@127.0.0.1:${port}`, { streams: [], log });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    const down = connectOwnBus(`nats://${login}@127.0.0.1:1`, { streams: [], log, signal: AbortSignal.timeout(300) });
    await expect(down).rejects.toThrow();
    expect(lines.length).toBeGreaterThan(0);
    const text = [error, ...lines]
      .map((one) => `${String(one)} ${JSON.stringify(one)} ${describeError(one)}`)
      .join("\n");
    expect(text).not.toMatch(/s3[cr]/);
  });
});

function configOf(config: Partial<LoginConfig>): LoginConfig {
  return { VOXBUS_NATS_URL: "nats://host:4222", ...config };
}

function describeError(value: unknown): string {
  const { err = value } = value as { readonly err?: unknown };
  if (!(err instanceof Error)) return "";
  return `${err.stack} ${JSON.stringify(err)} ${describeError(err.cause ?? {})}`;
}

/** Makes a CA, and a server's and a client's certificate signed by it. */
function makeCertificates(into: string): void {
  const openssl = (line: string) => execFileSync("openssl", line.split(" "), { cwd: into, stdio: "pipe" });
  openssl(
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=ca -keyout ca.key -out server.ca",
  );
  for (const name of ["server", "client"]) {
    writeFileSync(join(into, "names"), "subjectAltName=DNS:localhost");
    openssl(
      `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`,
    );
    openssl(
      `x509 -req -in ${name}.csr -CA server.ca -CAkey ca.key -CAcreateserial -days 1 -extfile names -out ${name}.cert`,
    );
  }
}
