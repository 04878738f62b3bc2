import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import {
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type ConnectionOptions,
} from "@nats-io/transport-node";
import type { BusLog, LoginConfig } from "../config.ts";
import { readServerUrls, type ServerUrls } from "./server-urls.ts";
import type { TlsFiles } from "./find-obstacle.ts";

type Variable = keyof LoginConfig;

/** A way to sign in: the variables that hold it, and how it reads them. */
interface Login {
  readonly variables: readonly Variable[];
  /** Reads the files anew. Throws ProblemError. */
  readonly read: () => Authenticator;
}

/** Thrown for a file or a secret that cannot be used. Its message names the variable and never the secret. */
class ProblemError extends Error {
  override readonly name = "ProblemError";
}

/**
 * Finds what is wrong with the variables of NATS, one sentence each: contradictions, unreadable files, and invalid
 * credentials. No sentence quotes a secret.
 */
export function checkBusConfig(config: LoginConfig): readonly string[] {
  const servers = readServerUrls(config.VOXBUS_NATS_URL);
  const logins = listLogins(config, servers);
  const problems = [...servers.problems, ...findContradictions(config, logins)];
  const checks = [() => checkTls(config), ...logins.map((login) => () => void login.read())];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

/**
 * Makes the options that say where NATS is and how to sign in. Files are read again at each connect. One that has become
 * unreadable is logged, and the last content is used. Throws an error with all sentences of `checkBusConfig`.
 */
export function readCredentials(
  config: LoginConfig,
  log: BusLog,
): Pick<ConnectionOptions, "authenticator"> & { readonly servers: string[]; readonly tls?: TlsFiles } {
  const problems = checkBusConfig(config);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const servers = readServerUrls(config.VOXBUS_NATS_URL);
  const [login] = listLogins(config, servers);
  const { VOXBUS_NATS_CA: caFile, VOXBUS_NATS_CERT: certFile, VOXBUS_NATS_KEY: keyFile } = config;
  const files = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
  return {
    servers: [...servers.addresses],
    ...(login === undefined ? {} : { authenticator: renew(login, log) }),
    ...(servers.tls || Object.keys(files).length > 0 ? { tls: files } : {}),
  };
}

function listLogins(config: LoginConfig, { login: inUrl }: ServerUrls): readonly Login[] {
  const logins: Login[] = [];
  if (inUrl !== undefined) {
    const { user, password } = inUrl;
    const read = () =>
      password === undefined ? tokenAuthenticator(user) : usernamePasswordAuthenticator(user, password);
    logins.push({ variables: ["VOXBUS_NATS_URL"], read });
  }
  const { VOXBUS_NATS_USER: user, VOXBUS_NATS_CREDS: creds } = config;
  const password = readerOf(config, "VOXBUS_NATS_PASSWORD", "VOXBUS_NATS_PASSWORD_FILE");
  const token = readerOf(config, "VOXBUS_NATS_TOKEN", "VOXBUS_NATS_TOKEN_FILE");
  const nkey = readerOf(config, "VOXBUS_NATS_NKEY", "VOXBUS_NATS_NKEY_FILE");
  if (user !== undefined || password !== undefined) {
    const variables = [...(user === undefined ? [] : ["VOXBUS_NATS_USER" as const]), ...(password?.variables ?? [])];
    logins.push({ variables, read: () => usernamePasswordAuthenticator(user ?? "", password?.read() ?? "") });
  }
  if (token !== undefined) logins.push({ ...token, read: () => tokenAuthenticator(token.read()) });
  if (nkey !== undefined) {
    const { variables, read } = nkey;
    const make = () => nkeyAuthenticator(new TextEncoder().encode(read()));
    logins.push({ variables, read: () => tryOut(variables, "an nkey seed", make()) });
  }
  if (creds !== undefined) {
    const variables = ["VOXBUS_NATS_CREDS"] as const;
    const make = () => credsAuthenticator(readFile(variables[0], creds));
    logins.push({ variables, read: () => tryOut(variables, "a credentials file", make()) });
  }
  return logins;
}

/** Makes the reader of a secret that stands in a variable or in a file. Undefined if neither is set. */
function readerOf(config: LoginConfig, plain: Variable, inFile: Variable) {
  const [secret, path] = [config[plain], config[inFile]] as readonly (string | undefined)[];
  const variables = [...(secret === undefined ? [] : [plain]), ...(path === undefined ? [] : [inFile])];
  if (variables.length === 0) return undefined;
  const read = (): string => {
    if (secret !== undefined || path === undefined) return secret ?? "";
    const content = readFile(inFile, path).toString("utf8").trim();
    if (content === "") throw new ProblemError(`${inFile}: ${path} is empty`);
    return content;
  };
  return { variables, read };
}

function readFile(variable: Variable, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ProblemError(`${variable}: cannot read ${path} (${codeOf(cause)})`, { cause });
  }
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? "unknown error";
}

/** Signs a nonce once, because nats.js would close the connection for good at a bad seed. */
function tryOut(variables: readonly Variable[], expected: string, authenticator: Authenticator): Authenticator {
  try {
    authenticator("nonce");
    return authenticator;
  } catch {
    throw new ProblemError(`${variables.join(", ")}: the content is not ${expected}`);
  }
}

function findContradictions(config: LoginConfig, logins: readonly Login[]): readonly string[] {
  const problems: string[] = [];
  const isSet = (variable: Variable) => config[variable] !== undefined;
  const twice = ["VOXBUS_NATS_PASSWORD", "VOXBUS_NATS_TOKEN", "VOXBUS_NATS_NKEY"] as const;
  for (const plain of twice) {
    const inFile = `${plain}_FILE` as const;
    if (isSet(plain) && isSet(inFile)) problems.push(`${plain}, ${inFile}: expected one of them, both are set`);
  }
  if (logins.length > 1) {
    const names = logins.flatMap(({ variables }) => variables).join(", ");
    problems.push(`${names}: expected one way to sign in to NATS, these are ${logins.length}`);
  }
  for (const password of ["VOXBUS_NATS_PASSWORD", "VOXBUS_NATS_PASSWORD_FILE"] as const) {
    if (isSet(password) && !isSet("VOXBUS_NATS_USER")) problems.push(`${password}: VOXBUS_NATS_USER is missing`);
  }
  const pair = ["VOXBUS_NATS_CERT", "VOXBUS_NATS_KEY"] as const;
  for (const [one, other] of [pair, pair.toReversed()] as const) {
    if (one !== undefined && other !== undefined && isSet(one) && !isSet(other))
      problems.push(`${one}: ${other} is missing`);
  }
  return problems;
}

/** Reads the files of TLS, and checks that they fit together. */
function checkTls(config: LoginConfig): void {
  const variables = ["VOXBUS_NATS_CA", "VOXBUS_NATS_CERT", "VOXBUS_NATS_KEY"] as const;
  const [ca, cert, key] = variables.map((variable) => {
    const path = config[variable];
    return path === undefined ? undefined : readFile(variable, path);
  });
  try {
    // createSecureContext passes over authorities that it cannot read.
    if (ca) void new X509Certificate(ca);
    createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  } catch (cause) {
    const names = variables.filter((variable) => config[variable] !== undefined).join(", ");
    throw new ProblemError(`${names}: the files cannot be used (${codeOf(cause)})`, { cause });
  }
}

function renew(login: Login, log: BusLog): Authenticator {
  let current = login.read();
  return (nonce) => {
    try {
      current = login.read();
    } catch (err) {
      if (!(err instanceof ProblemError)) throw err;
      log.warn({ reason: err.message }, "NATS credentials unreadable, using the last ones");
    }
    return current(nonce);
  };
}
