import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { makeCertificate } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { listen, serverTimes } from "./listen.ts";

const folder = mkdtempSync(join(tmpdir(), "voxbus-tls-"));
const sockets = new Set<Socket>();
let pem: { readonly cert: string; readonly key: string };
let server: Server;
let url: string;
let dropped = 0;

beforeAll(() => {
  const { cert, key } = makeCertificate(folder, "server");
  pem = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  dropped = 0;
  server = createServer({ ...serverTimes, ...pem }, (request, response) => {
    if (request.url === "/wait") response.write("waiting");
    else response.end("done");
  });
  server.on("upgrade", (_request, socket) => socket.write("HTTP/1.1 101 Up\r\n\r\n"));
  const limits = { total: 10, perAddress: 3 };
  url = await listen(server, { host: "127.0.0.1", port: 0, variable: "", limits, dropped: () => (dropped += 1) });
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close().closeAllConnections();
});

function keep<S extends Socket>(socket: S): S {
  sockets.add(socket.on("error", () => undefined).once("close", () => sockets.delete(socket)));
  return socket.resume();
}

const target = () => ({ port: Number(new URL(url).port), host: "127.0.0.1" });
const open = async () => {
  const socket = keep(connectTls({ ...target(), ca: pem.cert }));
  await once(socket, "secureConnect");
  return socket;
};
const ask = async (socket: Socket, path: string, head = "") => {
  const first = Promise.race([once(socket, "data"), once(socket, "close").then(() => [""])]);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n`);
  return String((await first)[0]);
};
const count = () => new Promise<number>((resolve) => server.getConnections((_error, open) => resolve(open)));

it("TLS: the address begins with https", () => expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/));

it.each([
  ["a request", "/wait", "", "waiting"],
  ["a WebSocket", "/", "Connection: Upgrade\r\nUpgrade: x\r\n", "101"],
])("TLS: %s in progress keeps its place, and idle connections give way", async (_case, path, head, answer) => {
  const busy = await open();
  expect(await ask(busy, path, head)).toContain(answer);
  for (let n = 0; n < 10; n += 1) expect(await ask(await open(), "/")).toContain("200 OK");
  expect(busy.destroyed).toBe(false);
  expect(dropped).toBe(8);
  await expect.poll(count).toBe(3);
});

it("TLS: connections without a handshake count, give way, and leave nothing behind", async () => {
  for (let n = 0; n < 20; n += 1) await once(keep(connectTcp(target())), "connect");
  await expect.poll(count).toBe(3);
  expect(await ask(await open(), "/")).toContain("200 OK");
  for (const socket of sockets) socket.destroy();
  await expect.poll(count).toBe(0);
  for (let n = 0; n < 3; n += 1) expect(await ask(await open(), "/wait")).toContain("waiting");
});
