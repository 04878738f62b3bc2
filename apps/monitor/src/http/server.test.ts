import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BusAwayError } from "@voxbus/bus";
import { listen } from "@voxbus/subscriber";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { addPage } from "./page.ts";
import { addPages } from "./pages.ts";
import { DeviceId } from "./params.ts";
import { problems } from "./problems.ts";
import { addRoute } from "./route.ts";
import { createApp, createAppServer } from "./server.ts";

const maxBodyBytes = 64 * 1024;
const nothing = z.strictObject({});
const answered: [path: string, status: number][] = [];

const app = createApp({
  hosts: [],
  token: undefined,
  log: silentLog,
  answered: ({ path, status }) => answered.push([path, status]),
});
const row = { summary: "", problems: [] } as const;
addRoute(app, "get", "/api/items/{id}", {
  ...row,
  params: z.object({ id: DeviceId.pipe(z.string().max(4)) }),
  query: z.strictObject({ limit: z.coerce.number().max(9).default(5) }),
  answer: z.object({ id: z.string(), limit: z.number() }),
  handle: ({ params: { id }, query: { limit } }) => ({ id, limit }),
});
addRoute(app, "post", "/api/notes", {
  ...row,
  body: z.strictObject({ text: z.string().max(5), tags: z.array(z.string().max(3)).optional() }),
  answer: z.object({ length: z.number() }),
  handle: ({ body: { text } }) => ({ length: text.length }),
});
addRoute(app, "get", "/api/broken", {
  ...row,
  answer: nothing,
  handle: () => {
    throw new Error("a secret of the inside");
  },
});
addRoute(app, "get", "/api/away", {
  ...row,
  answer: nothing,
  handle: () => Promise.reject(new BusAwayError("NATS is away")),
});
addPages(app);
const directory = mkdtempSync(join(tmpdir(), "voxbus-page-"));
mkdirSync(join(directory, "assets"));
writeFileSync(join(directory, "index.html"), "<p>the page</p>");
writeFileSync(join(directory, "assets/a-1.js"), "1");
writeFileSync(join(directory, "notes.txt"), "2");
addPage(app, directory, () => []);
const server = createAppServer(app);
let url: string;
beforeAll(async () => {
  url = await listen(server, { host: "127.0.0.1", port: 0, variable: "VOXBUS_MONITOR_PORT" });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});
beforeEach(() => answered.splice(0));

const json = { "content-type": "application/json" };
const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = json) =>
  fetch(`${url}/api/notes`, { method: "POST", headers, body });

async function expectProblem(response: Response, name: keyof typeof problems) {
  const details = (await response.json()) as Record<string, unknown>;
  expect(details).toMatchObject({ type: `/problems/${name}`, ...problems[name] });
  expect(details["detail"]).toEqual(expect.any(String));
  expect(details["instance"]).toBe(new URL(response.url).pathname);
  expect(response.status).toBe(problems[name].status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return details;
}

test("server: a route's path, query and body are checked", async () => {
  const got = await fetch(`${url}/api/items/a%3Ab?limit=7`);
  expect(got.status).toBe(200);
  expect(got.headers.get("content-type")).toBe("application/json");
  expect(await got.json()).toEqual({ id: "a:b", limit: 7 });
  const sent = await post('{"text":"hello"}', { "content-type": "application/json; charset=utf-8" });
  expect(sent.status).toBe(202);
  expect(await sent.json()).toEqual({ length: 5 });
  expect(answered).toEqual([
    ["/api/items/:id", 200],
    ["/api/notes", 202],
  ]);
});

test("server: HEAD is answered like GET, without content", async () => {
  const response = await fetch(`${url}/api/items/a`, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});

test("problem not-found: an unknown path, which is counted without a path", async () => {
  await expectProblem(await fetch(`${url}/api/nothing`), "not-found");
  await expectProblem(await fetch(`${url}/api/items/a/b`), "not-found");
  expect(answered).toEqual([
    ["", 404],
    ["", 404],
  ]);
});

test("problem method-not-allowed: Allow names the methods", async () => {
  for (const [path, method, allow] of [
    ["/api/notes", "GET", "POST"],
    ["/api/items/a", "DELETE", "GET, HEAD"],
    ["/api/items/a", "OPTIONS", "GET, HEAD"],
    ["/", "POST", "GET, HEAD"],
  ] as const) {
    const response = await fetch(url + path, { method });
    await expectProblem(response, "method-not-allowed");
    expect(response.headers.get("allow")).toBe(allow);
  }
});

test("problem bad-device-id: an invalid or undecodable path segment", async () => {
  const { errors } = await expectProblem(await fetch(`${url}/api/items/abcde`), "bad-device-id");
  expect(errors).toEqual([{ field: "id", message: expect.stringContaining("4") }]);
  await expectProblem(await fetch(`${url}/api/items/%ff`), "bad-device-id");
});

test("problem bad-field: names each field and its limit", async () => {
  const details = await expectProblem(await post('{"text":"longer","tags":["a","long"],"more":1}'), "bad-field");
  expect(details["errors"]).toEqual([
    { field: "text", message: expect.stringContaining("5") },
    { field: "tags.1", message: expect.stringContaining("3") },
    { field: "more", message: expect.any(String) },
  ]);
  expect(details["detail"]).toContain("tags.1: ");
  for (const body of ["[]", "null", '"text"', "3", ""]) await expectProblem(await post(body), "bad-field");
  await expectProblem(await fetch(`${url}/api/items/a?limit=10`), "bad-field");
  await expectProblem(await fetch(`${url}/api/items/a?limt=1`), "bad-field");
});

test("problem bad-json: a body that is not JSON in UTF-8", async () => {
  for (const body of ["{", "text=1", Uint8Array.of(0x22, 0xff, 0x22)])
    await expectProblem(await post(body), "bad-json");
});

test("problem unsupported-media-type: the form of another site", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"]) {
    await expectProblem(await post('{"text":"hello"}', { "content-type": type }), "unsupported-media-type");
  }
});

test("problem body-too-big: a body of any length over the limit", async () => {
  const padded = (bytes: number) => '{"text":"hello"}'.padEnd(bytes);
  expect((await post(padded(maxBodyBytes))).status).toBe(202);
  await expectProblem(await post(padded(maxBodyBytes + 1)), "body-too-big");
  await expectProblem(await post(padded(maxBodyBytes * 40)), "body-too-big");
});

test("server: the connection of a refused body serves the next request", async () => {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const body = " ".repeat(maxBodyBytes * 20);
  socket.write(`POST /api/notes HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`);
  socket.write(`content-length: ${body.length}\r\n\r\n${body}`);
  socket.write(`GET /api/items/next HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  expect(received).toMatch(/^HTTP\/1\.1 413 /);
  expect(received).toContain('{"id":"next","limit":5}');
});

test("problem forbidden: the Origin of another site", async () => {
  await expectProblem(await post('{"text":"hello"}', { ...json, origin: "https://evil.example" }), "forbidden");
});

test("problem bus-away: a request that NATS did not take in time", async () => {
  await expectProblem(await fetch(`${url}/api/away`), "bus-away");
});

test("problem internal: shows nothing of the error's text", async () => {
  const details = await expectProblem(await fetch(`${url}/api/broken`), "internal");
  expect(JSON.stringify(details)).not.toContain("secret");
});

test("page: is compressed for clients that accept gzip, and has a policy of its own", async () => {
  const zipped = await fetch(`${url}/`, { headers: { "accept-encoding": "gzip" } });
  expect(zipped.headers.get("content-encoding")).toBe("gzip");
  expect(await zipped.text()).toBe("<p>the page</p>");
  const plain = await fetch(`${url}/`, { headers: { "accept-encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(await plain.text()).toBe("<p>the page</p>");
  expect(plain.headers.get("content-security-policy")).toContain(`connect-src 'self' ws://${new URL(url).hostname}:*`);
  expect(plain.headers.get("x-content-type-options")).toBe("nosniff");
});

test("server: every problem has its page, and the API's page names every path", async () => {
  for (const [name, { title }] of Object.entries(problems)) {
    const page = await fetch(`${url}/problems/${name}`);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(await page.text()).toContain(title);
  }
  const home = await (await fetch(`${url}/api/`)).text();
  for (const path of ["/api/items/{id}", "/api/notes", "/api/broken", "/api/away"]) expect(home).toContain(path);
});

test("page: serves the page's files by their paths, and no other files", async () => {
  const page = await fetch(`${url}/`);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("cache-control")).toBe("no-store");
  const script = await fetch(`${url}/assets/a-1.js`);
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(script.headers.get("vary")?.toLowerCase()).toBe("accept-encoding");
  expect(await script.text()).toBe("1");
  for (const path of ["/assets/a-2.js", "/assets/", "/notes.txt", "/index.html", "/assets/..%2Fnotes.txt"]) {
    const missing = await fetch(url + path);
    await expectProblem(missing, "not-found");
    expect(missing.headers.get("cache-control")).toBe("no-store");
  }
});

test("page: HEAD has the headers of the file, and no content", async () => {
  const page = await fetch(`${url}/`, { method: "HEAD" });
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(await page.text()).toBe("");
});

test("server: every answer forbids sniffing, caching and scripts, refusals included", async () => {
  for (const path of ["/api/items/a", "/api/nothing", "/api/broken", "/api/", "/problems/busy"]) {
    const { headers } = await fetch(url + path);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  }
});

test("problem forbidden: a request without a Host header, as HTTP 1.0 allows", async () => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).end("GET /api/items/a HTTP/1.0\r\n\r\n");
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  expect(received).toMatch(/^HTTP\/1\.1 403 /);
  expect(received).toContain("/problems/forbidden");
});

test("problem body-too-big: a body without a content length", async () => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write("POST /api/notes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
  socket.write("transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
  const chunk = " ".repeat(maxBodyBytes);
  socket.write(`10000\r\n${chunk}\r\n10000\r\n${chunk}\r\n0\r\n\r\n`);
  const [head] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /);
});

test("server: a client that disconnects in mid-body has no effect on others", async () => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const head = `POST /api/notes HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`;
  await new Promise<void>((resolve) => socket.write(head, () => resolve()));
  const seen = new Promise((resolve) => server.once("request", resolve));
  await seen;
  socket.destroy();
  expect((await post('{"text":"hello"}')).status).toBe(202);
});
