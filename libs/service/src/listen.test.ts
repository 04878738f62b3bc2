import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConnectionLimits } from "./connection-limits.ts";
import { listen, serverTimes } from "./listen.ts";
import type { Log } from "./log.ts";
import { createProxies } from "./proxies.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
const warnings: string[] = [];
const log = { warn: (_fields: object, message: string) => void warnings.push(message) } as unknown as Log;
let dropped = 0;

beforeEach(() => {
  dropped = 0;
  warnings.length = 0;
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Answers every path but `/wait`. */
const answer: RequestListener = (request, response) => {
  if (request.url === "/wait") response.write("waiting");
  else response.end("done");
};

async function start(limits: ConnectionLimits, options: { trusted?: string; upgrades?: boolean } = {}) {
  const server = createServer(serverTimes, answer);
  if (options.upgrades) server.on("upgrade", (_request, socket) => socket.write("HTTP/1.1 101 Up\r\n\r\n"));
  servers.push(server);
  const proxies = createProxies(options.trusted === undefined ? [] : [options.trusted]);
  const url = await listen(server, {
    host: "127.0.0.1",
    port: 0,
    variable: "",
    limits,
    proxies,
    dropped: () => (dropped += 1),
    log,
  });
  const port = Number(new URL(url).port);
  const open = async (localAddress = "127.0.0.1") => {
    const socket = connect({ port, host: "127.0.0.1", localAddress })
      .on("error", () => undefined)
      .resume();
    sockets.add(socket.once("close", () => sockets.delete(socket)));
    await once(socket, "connect");
    return socket;
  };
  /** Asks for a path and gives the first part of the answer, or "" if the connection ends without one. */
  const ask = async (socket: Socket, path: string, head = "") => {
    const first = Promise.race([once(socket, "data"), once(socket, "close").then(() => [""])]);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n`);
    return String((await first)[0]);
  };
  const count = () => new Promise<number>((resolve) => server.getConnections((_error, open) => resolve(open)));
  return { server, open, ask, count };
}

describe("connections of a listener", () => {
  it("from one address: the oldest idle one gives way, and another address is not concerned", async () => {
    const { open, ask, count } = await start({ total: 10, perAddress: 3 });
    const other = await open("127.0.0.2");
    const idle = await Promise.all(Array.from({ length: 50 }, () => open()));
    await expect.poll(count).toBe(4);
    expect(idle.at(-1)?.destroyed).toBe(false);
    expect(await ask(await open(), "/")).toContain("200 OK");
    expect(await ask(other, "/")).toContain("200 OK");
    expect(dropped).toBe(48);
  });

  it("from many addresses: they stay within the total, and a new one gets in", async () => {
    const { open, ask, count } = await start({ total: 10, perAddress: 3 });
    for (let n = 0; n < 200; n += 1) await open(`127.0.1.${n}`);
    await expect.poll(count).toBe(10);
    expect(await ask(await open("127.0.0.2"), "/")).toContain("200 OK");
  });

  it("in progress: an answer keeps its place, and a new connection is dropped before its request is read", async () => {
    const { open, ask } = await start({ total: 10, perAddress: 3 });
    const busy = await Promise.all([open(), open(), open()]);
    for (const socket of busy) expect(await ask(socket, "/wait")).toContain("waiting");
    expect(await ask(await open(), "/")).toBe("");
    expect(busy.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
    expect(await ask(await open("127.0.0.2"), "/")).toContain("200 OK");
  });

  it("in progress: neither an answered request nor half a body keeps a place", async () => {
    const { open, ask } = await start({ total: 10, perAddress: 2 });
    const answered = await open();
    expect(await ask(answered, "/")).toContain("200 OK");
    const half = await open();
    half.write("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    expect(await ask(await open(), "/")).toContain("200 OK");
    expect(await ask(await open(), "/")).toContain("200 OK");
    await expect.poll(() => [answered.destroyed, half.destroyed]).toEqual([true, true]);
  });

  it("in progress: a WebSocket keeps its place", async () => {
    const { open, ask } = await start({ total: 10, perAddress: 2 }, { upgrades: true });
    const socket = await open();
    expect(await ask(socket, "/", "Connection: Upgrade\r\nUpgrade: x\r\n")).toContain("101");
    for (let n = 0; n < 10; n += 1) expect(await ask(await open(), "/")).toContain("200 OK");
    expect(socket.destroyed).toBe(false);
  });

  it("a trusted proxy: has as many as there are in all", async () => {
    const { open, count } = await start({ total: 10, perAddress: 3 }, { trusted: "127.0.0.1" });
    await Promise.all(Array.from({ length: 50 }, () => open()));
    await expect.poll(count).toBe(10);
  });

  it("a place is free again when its connection has ended", async () => {
    const { open, ask, count } = await start({ total: 3, perAddress: 3 });
    for (let n = 0; n < 5; n += 1) {
      const socket = await open();
      expect(await ask(socket, "/wait")).toContain("waiting");
      socket.destroy();
      await expect.poll(count).toBe(0);
    }
    expect(dropped).toBe(0);
  });

  it("a failed accept: is logged once a second, makes room, and harms nothing", async () => {
    const { server, open, ask, count } = await start({ total: 10, perAddress: 10 });
    await open();
    await expect.poll(count).toBe(1);
    for (let n = 0; n < 100; n += 1) server.emit("error", new Error("accept EMFILE"));
    expect(warnings).toEqual(["accept failed"]);
    await expect.poll(count).toBe(0);
    expect(await ask(await open(), "/")).toContain("200 OK");
  });
});

it.each([
  ["192.0.2.1", "VOXBUS_GATEWAY_PORT", "VOXBUS_GATEWAY_HOST"],
  ["[::1]", "VOXBUS_GATEWAY_PORT", "VOXBUS_GATEWAY_HOST"],
  ["no-such-host.invalid", "VOXBUS_MONITOR_PORT", "VOXBUS_MONITOR_HOST"],
  ["http://127.0.0.1", "VOXBUS_ASR_OPS_PORT", "VOXBUS_OPS_HOST"],
])("listen: %s, which is not an address of this machine, is named with its variable", async (host, variable, named) => {
  const listening = listen(createServer(), { host, port: 0, variable });
  await expect(listening).rejects.toThrow(`${host} is not an address of this machine: set ${named} to one`);
});
