import { createProxies } from "@voxbus/subscriber";
import { expect, test } from "vitest";
import { checkExposure, createAccess } from "./access.ts";
import { Problem } from "./problems.ts";

type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly from?: string;
};

const proxies = createProxies(["10.9.0.0/16"]);
const ask = (options: { hosts: readonly string[]; token?: string }, asked: Asked) =>
  askOf(createAccess({ token: undefined, ...options }), asked);

function askOf(
  access: ReturnType<typeof createAccess>,
  { method = "GET", path = "/api/devices", headers = {}, from = "10.0.0.1" }: Asked,
) {
  const sent: Record<string, string> = { host: "127.0.0.1:8080", ...headers };
  try {
    const asked = proxies.askedHosts(from, sent);
    access({ method, path, header: (name) => sent[name] }, { client: { address: from, group: from }, asked });
    return "in";
  } catch (error) {
    if (error instanceof Problem) return error.problem;
    throw error;
  }
}

const local = { hosts: [] };
const named = { hosts: ["Monitor.example"] };
const guarded = { hosts: [], token: "s3cret" };

test.each(["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "127.9.9.9", "10.0.0.1:8080"])(
  "access: the Host %s is let in",
  (host) => expect(ask(local, { headers: { host } })).toBe("in"),
);

test.each(["evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", ""])(
  "access: the Host '%s' is forbidden on every path",
  (host) => {
    expect(ask(local, { headers: { host } })).toBe("forbidden");
    expect(ask(local, { headers: { host }, path: "/" })).toBe("forbidden");
    expect(ask(named, { headers: { host } })).toBe("forbidden");
    expect(ask(guarded, { headers: { host, authorization: "Bearer s3cret" } })).toBe("forbidden");
  },
);

test("access: a Host in VOXBUS_HOSTS is let in", () => {
  expect(ask(named, { headers: { host: "monitor.example" } })).toBe("in");
});

test("access: with a token, /api/ demands it and pages do not", () => {
  expect(ask(guarded, {})).toBe("unauthorized");
  for (const authorization of ["s3cret", "Bearer s3cre", "Bearer s3cret ", "Basic s3cret", "Bearer "]) {
    expect(ask(guarded, { headers: { authorization } })).toBe("unauthorized");
  }
  expect(ask(guarded, { headers: { authorization: "Bearer s3cret" } })).toBe("in");
  expect(ask(guarded, { headers: { authorization: "bearer s3cret" } })).toBe("in");
  expect(ask(guarded, { path: "/" })).toBe("in");
});

test("access: an address that guesses is refused before its tokens are compared, and others are not", () => {
  const access = createAccess({ hosts: [], token: "s3cret" });
  const guess = (token: string, from?: string) =>
    askOf(access, { headers: token ? { authorization: `Bearer ${token}` } : {}, ...(from && { from }) });
  for (let n = 0; n < 100; n += 1) guess(`guess-${n}`);
  expect(guess("guess")).toBe("too-many-guesses");
  expect(guess("s3cret")).toBe("too-many-guesses");
  expect(guess("")).toBe("unauthorized");
  expect(guess("s3cret", "10.0.0.2")).toBe("in");
});

test("access: a named token is taken from an address that guesses", () => {
  const caller = { scope: "read", name: "wall", isValid: () => true } as const;
  const tokens = { find: (given: string) => (given === "named" ? caller : undefined) };
  const access = createAccess({ hosts: [], token: "s3cret", tokens });
  const guess = (token: string) => askOf(access, { headers: { authorization: `Bearer ${token}` } });
  for (let n = 0; n < 100; n += 1) guess(`guess-${n}`);
  expect(guess("guess")).toBe("too-many-guesses");
  expect(guess("named")).toBe("in");
});

test("access: a page that has no token yet does not guess", () => {
  const access = createAccess({ hosts: [], token: "s3cret" });
  for (let n = 0; n < 100; n += 1) expect(askOf(access, {})).toBe("unauthorized");
  expect(askOf(access, { headers: { authorization: "Bearer s3cret" } })).toBe("in");
});

test("access: a POST comes from a page of this monitor, or from no page", () => {
  const post = (headers: Record<string, string>) => ask(local, { method: "POST", headers });
  expect(post({})).toBe("in");
  expect(post({ origin: "http://127.0.0.1:8080" })).toBe("in");
  expect(post({ origin: "http://127.0.0.1:8081" })).toBe("forbidden");
  expect(post({ origin: "https://evil.example" })).toBe("forbidden");
  expect(post({ origin: "null" })).toBe("forbidden");
});

test("access: behind a trusted proxy, a page is of this monitor if it comes from the host that the proxy was asked for", () => {
  const post = (headers: Record<string, string>, from = "10.9.0.1") => ask(named, { method: "POST", headers, from });
  const proxy = { "x-forwarded-host": "monitor.example", "x-forwarded-port": "8443" };
  const page = { origin: "https://monitor.example:8443" };
  expect(post({ ...proxy, ...page })).toBe("in");
  expect(post({ host: "monitor.example", "x-forwarded-port": "8443", ...page })).toBe("in");
  expect(post({ "x-forwarded-host": "Monitor.example:8443", ...page })).toBe("in");
  expect(post({ ...proxy, "x-forwarded-port": "443", origin: "https://monitor.example" })).toBe("in");
  // A second proxy in front of it listens on the default port.
  expect(post({ ...proxy, "x-forwarded-port": "80", origin: "https://monitor.example" })).toBe("in");

  for (const origin of ["https://monitor.example:8444", "https://evil.example:8443", "http://127.0.0.1:8080", "null"]) {
    expect(post({ ...proxy, origin })).toBe("forbidden");
  }
  expect(post({ ...proxy, ...page }, "10.8.0.1")).toBe("forbidden");
});

test("access: no forwarded header lets a foreign name in", () => {
  const get = (headers: Record<string, string>) => ask(named, { headers, from: "10.9.0.1" });
  expect(get({ host: "evil.example", "x-forwarded-host": "monitor.example" })).toBe("forbidden");
  expect(get({ host: "monitor.example", "x-forwarded-host": "evil.example" })).toBe("forbidden");
  expect(get({ host: "monitor.example", "x-forwarded-host": "monitor.example, evil.example" })).toBe("forbidden");
  expect(get({ host: "monitor.example", "x-forwarded-host": "evil.example, monitor.example" })).toBe("in");
});

test("exposure: beyond loopback needs a token, or VOXBUS_AUTH=none", () => {
  const check = (config: Partial<Parameters<typeof checkExposure>[0]>) => () =>
    checkExposure({ VOXBUS_MONITOR_HOST: "0.0.0.0", ...config });
  expect(check({})).toThrow(/VOXBUS_MONITOR_TOKEN/);
  expect(check({ VOXBUS_AUTH: "token" })).toThrow(/VOXBUS_MONITOR_TOKEN/);
  expect(check({ VOXBUS_AUTH: "none" })).not.toThrow();
  expect(check({ VOXBUS_MONITOR_TOKEN: "s3cret" })).not.toThrow();
  expect(check({ VOXBUS_MONITOR_HOST: "::1" })).not.toThrow();
  expect(check({ VOXBUS_MONITOR_HOST: "127.0.0.1" })).not.toThrow();
});
