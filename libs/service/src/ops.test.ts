import { createServer, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigShape } from "./config.ts";
import type { Log } from "./log.ts";
import { listen } from "./listen.ts";
import { startService, type Build, type Running } from "./service.ts";

const running: Running[] = [];
const start = async (build: Build<ConfigShape>, env: Readonly<Record<string, string>> = {}) => {
  const quiet = { VOXBUS_LOG_LEVEL: "fatal", VOXBUS_LOG_FORMAT: "json" };
  const started = await startService({ name: "bell" }, build, { ...quiet, ...env });
  running.push(started);
  return started;
};

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop("quick")));
});

describe("operations port: web pages", () => {
  const routes = ["POST /pre-stop", "PUT /log-level", "GET /log-level", "GET /livez", "GET /readyz", "GET /metrics"];
  const ask = (service: Running, route: string, headers: Readonly<Record<string, string>>) => {
    const [method = "GET", path = "/"] = route.split(" ");
    return new Promise<number | undefined>((resolve, reject) => {
      const asked = request(service.addresses["ops"] + path, { method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on("error", reject).end();
    });
  };

  it.each([
    ["an Origin", { Origin: "https://evil.example" }],
    ["the Origin of another port", { Origin: "http://127.0.0.1:8080" }],
    ["an opaque Origin", { Origin: "null" }],
    ["a cross-site Sec-Fetch-Site", { "Sec-Fetch-Site": "cross-site" }],
    ["a foreign name that points here", { Host: "evil.example:9100" }],
    ["a name that begins like an address", { Host: "127.0.0.1.evil.example" }],
    ["a name that begins like localhost", { Host: "localhost.evil.example" }],
  ])("%s: 403 on every route, and nothing happens", async (_case, headers) => {
    let drained = false;
    const service = await start(
      async ({ route, drain }) => {
        drain(async () => void (drained = true));
        route("POST /ring", (_request, response) => void response.writeHead(202).end());
      },
      { VOXBUS_HOSTS: "bell.example" },
    );
    for (const route of [...routes, "POST /ring", "GET /nothing"]) {
      expect([route, await ask(service, route, headers)]).toEqual([route, 403]);
    }
    expect(drained).toBe(false);
    expect(service.log.level).toBe("fatal");
  });

  it("an address, localhost and a name in VOXBUS_HOSTS: are let in", async () => {
    const service = await start(async () => {}, { VOXBUS_HOSTS: "other, Bell.example" });
    for (const Host of ["10.0.0.7:9100", "[::1]:9100", "localhost:1", "LOCALHOST", "bell.EXAMPLE:9100"]) {
      expect([Host, await ask(service, "GET /livez", { Host })]).toEqual([Host, 200]);
    }
    expect(await ask(service, "GET /livez", { "Sec-Fetch-Site": "none" })).toBe(200);
  });
});

describe("listen", () => {
  it("a connection that cannot be accepted: is logged once a second, and the server goes on", async () => {
    const warnings: string[] = [];
    const server = createServer((_request, response) => void response.end("here"));
    const log = { warn: (_fields: object, message: string) => void warnings.push(message) } as unknown as Log;
    const address = await listen(server, { host: "127.0.0.1", port: 0, variable: "", log });
    for (let times = 0; times < 2; times += 1) server.emit("error", new Error("accept EMFILE"));
    expect(warnings).toEqual(["accept failed"]);
    expect(await (await fetch(address)).text()).toBe("here");
    server.close();
    server.closeAllConnections();
  });
});
