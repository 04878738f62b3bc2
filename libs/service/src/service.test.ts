import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { findFreePort } from "@voxbus/testing";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError } from "./config.ts";
import { ListenError } from "./listen.ts";
import { answerPreStop } from "./pre-stop.ts";
import type { StopMode } from "./lifecycle.ts";
import { startService, type Build, type Running } from "./service.ts";

const program = {
  name: "bell",
  opsPort: 0,
  config: { VOXBUS_BELL_TONE: z.enum(["low", "high"]).default("low").describe("tone") },
};
const quiet = { VOXBUS_LOG_LEVEL: "fatal", VOXBUS_LOG_FORMAT: "json" };
const running: Running[] = [];
const start = async (build: Build<typeof program.config>, env: Readonly<Record<string, string>> = {}) => {
  const started = await startService(program, build, { ...quiet, ...env });
  running.push(started);
  return started;
};
const get = async (service: Running, path: string, method = "GET") => {
  const response = await fetch(service.addresses["ops"] + path, { method });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return { status: response.status, text, body: isJson ? (JSON.parse(text) as unknown) : undefined };
};

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop("quick")));
});

describe("operations port", () => {
  it("port 0: any free port is used, and the real address is returned with the program's own", async () => {
    const service = await start(async () => ({ bell: "ring://x" }));
    expect(service.addresses["bell"]).toBe("ring://x");
    expect(service.addresses["ops"]).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  it("/livez: 200 while the process runs; other paths: 404", async () => {
    const service = await start(async () => {});
    expect(await get(service, "/livez")).toMatchObject({ status: 200, body: { live: true } });
    expect(await get(service, "/livez?x=1")).toMatchObject({ status: 200 });
    expect(await get(service, "/nothing")).toMatchObject({ status: 404 });
  });

  it("/readyz: 503 with the names of failing checks, 200 once every check passes", async () => {
    let nats = false;
    const service = await start(async ({ check }) => {
      check("nats", () => nats);
      check("engine", () => true);
    });
    expect(await get(service, "/readyz")).toMatchObject({ status: 503, body: { ready: false, failing: ["nats"] } });
    nats = true;
    expect(await get(service, "/readyz")).toMatchObject({ status: 200, body: { ready: true, failing: [] } });
  });

  it("/readyz: 503 until the program has warmed up", async () => {
    const port = String(await findFreePort());
    let answer: unknown;
    const service = await start(
      ({ warm }) =>
        warm(async () => {
          answer = await (await fetch(`http://127.0.0.1:${port}/readyz`)).json();
        }),
      { VOXBUS_BELL_OPS_PORT: port },
    );
    expect(answer).toEqual({ ready: false, failing: ["started"] });
    expect(await get(service, "/readyz")).toMatchObject({ status: 200, body: { ready: true } });
  });

  it("/readyz: 503 as soon as the program stops", async () => {
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const service = await start(async ({ defer }) => defer(() => held));
    const stopped = service.stop("drain");
    expect(await get(service, "/readyz")).toMatchObject({ status: 503, body: { failing: ["running"] } });
    goOn();
    await stopped;
  });

  it("/log-level: a level applies at once; another word changes nothing", async () => {
    const service = await start(async () => {});
    const put = (body: string) => fetch(`${service.addresses["ops"]}/log-level`, { method: "PUT", body });
    expect(await get(service, "/log-level")).toMatchObject({ status: 200, text: "fatal\n" });
    expect((await put("loud")).status).toBe(400);
    expect((await put("x".repeat(10_000))).status).toBe(400);
    expect(service.log.level).toBe("fatal");
    expect((await put("error\n")).status).toBe(200);
    expect(service.log.level).toBe("error");
    expect(await get(service, "/log-level")).toMatchObject({ text: "error\n" });
  });

  it("/metrics: shows the program's instruments in the format of Prometheus", async () => {
    const service = await start(async ({ meter }) => {
      meter.createCounter("voxbus_bell_rings", { description: "Rings" }).add(3, { tone: "low" });
    });
    const { status, text } = await get(service, "/metrics");
    expect(status).toBe(200);
    expect(text).toMatch(/^voxbus_bell_rings_total\{[^}]*tone="low"[^}]*\} 3\b/m);
  });

  it("/metrics: names the program in target_info, and its counts are 0 from the start", async () => {
    const { text } = await get(await start(async () => {}), "/metrics");
    expect(text).toMatch(/^target_info\{[^}]*service_name="voxbus-bell"/m);
    expect(text).toMatch(/^voxbus_process_unexpected_errors_total\{[^}]*\} 0$/m);
    expect(text).toMatch(/^voxbus_process_dropped_connections_total\{[^}]*port="operations"[^}]*\} 0$/m);
  });

  it("own routes: are found by method and path", async () => {
    const service = await start(async ({ route }) => {
      route("POST /ring", (_request, response) => void response.writeHead(202).end());
    });
    expect(await get(service, "/ring", "POST")).toMatchObject({ status: 202 });
    expect(await get(service, "/ring")).toMatchObject({ status: 404 });
  });

  it("own routes: an error answers 500, and the port stays open", async () => {
    const service = await start(async ({ route }) => {
      route("GET /throws", () => {
        throw new Error("the clapper is gone");
      });
      route("GET /rejects", async () => {
        throw new Error("the rope is gone");
      });
      route("GET /late", (_request, response) => {
        response.writeHead(200).write("begun");
        throw new Error("too late for a status");
      });
    });
    expect(await get(service, "/throws")).toMatchObject({ status: 500, body: { error: "the clapper is gone" } });
    expect(await get(service, "/rejects")).toMatchObject({ status: 500, body: { error: "the rope is gone" } });
    await expect(get(service, "/late")).rejects.toThrow();
    expect(await get(service, "/livez")).toMatchObject({ status: 200 });
  });

  it("a check that throws: counts as failing", async () => {
    const service = await start(async ({ check }) => {
      check("broken", () => {
        throw new Error("no idea");
      });
    });
    expect(await get(service, "/readyz")).toMatchObject({ status: 503, body: { failing: ["broken"] } });
  });

  it("a taken port: the start fails with an error that names the variable", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const error: unknown = await start(async () => {}, { VOXBUS_BELL_OPS_PORT: String(port) }).catch((e: unknown) => e);
    holder.close();
    expect(error).toBeInstanceOf(ListenError);
    expect((error as Error).message).toBe(
      `port ${port} on 127.0.0.1 is taken: set VOXBUS_BELL_OPS_PORT to another one`,
    );
  });
});

describe("drain", () => {
  it("the program's signal: hundreds of jobs wait for it, and Node.js does not warn of a leak", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    await start(async ({ signal }) => {
      for (let jobs = 0; jobs < 300; jobs += 1) signal.addEventListener("abort", () => undefined);
    });
    await new Promise(setImmediate);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  it("POST /pre-stop: drains once, fails readiness at once, and answers when everything has finished", async () => {
    const seen: string[] = [];
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const service = await start(async ({ drain, defer, signal }) => {
      defer(() => void seen.push("undone"));
      drain(async (mode) => {
        seen.push(`first ${mode} ${signal.aborted}`);
        await held;
      });
      drain(async (mode) => void seen.push(`second ${mode}`));
      drain(async () => {
        throw new Error("stuck");
      });
    });
    const first = get(service, "/pre-stop", "POST");
    await expect.poll(() => seen.length).toBe(2);
    expect(await get(service, "/readyz")).toMatchObject({ status: 503, body: { failing: ["running"] } });
    const second = get(service, "/pre-stop", "POST");
    goOn();
    for (const answer of await Promise.all([first, second]))
      expect(answer).toMatchObject({ status: 200, body: { drained: true } });
    expect(await get(service, "/livez")).toMatchObject({ status: 200 });
    await service.stop("drain");
    expect(seen).toEqual(["first drain true", "second drain", "undone"]);
  });

  it("a quick stop: hurries a drain in progress", async () => {
    const modes: StopMode[] = [];
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const service = await start(async ({ drain }) =>
      drain(async (mode) => {
        modes.push(mode);
        if (mode === "quick") goOn();
        await held;
      }),
    );
    const draining = service.stop("drain");
    await service.stop("quick");
    await draining;
    expect(modes).toEqual(["drain", "quick"]);
  });

  it("POST /pre-stop: a drain that takes too long is answered with 503", async () => {
    const service = await start(async ({ route }) =>
      route(
        "POST /slow",
        answerPreStop(
          () => new Promise(() => {}),
          () => {},
          10,
        ),
      ),
    );
    expect(await get(service, "/slow", "POST")).toMatchObject({ status: 503, body: { drained: false } });
  });
});

describe("startService", () => {
  it("configuration: has the program's own variables, those of every program, and the operations port", async () => {
    let seen: object = {};
    await start(async ({ config }) => void (seen = config), { VOXBUS_BELL_TONE: "high" });
    expect(seen).toMatchObject({ VOXBUS_BELL_TONE: "high", VOXBUS_BELL_OPS_PORT: 0, VOXBUS_OPS_HOST: "127.0.0.1" });
  });

  it("a bad configuration: nothing is built", async () => {
    let built = false;
    const build = async () => void (built = true);
    await expect(start(build, { VOXBUS_BELL_TONE: "middle" })).rejects.toThrow(ConfigError);
    expect(built).toBe(false);
  });

  it("stop: aborts the signal, then undoes in reverse order with the mode", async () => {
    const undone: string[] = [];
    const service = await start(async ({ defer, signal }) => {
      defer((mode) => void undone.push(`first ${mode} ${signal.aborted}`));
      defer(async (mode) => {
        await Promise.resolve();
        undone.push(`second ${mode} ${signal.aborted}`);
      });
      expect(signal.aborted).toBe(false);
    });
    await service.stop("drain");
    expect(undone).toEqual(["second drain true", "first drain true"]);
  });

  it("stop: a failed step does not keep the others from running", async () => {
    const undone: string[] = [];
    const service = await start(async ({ defer }) => {
      defer(() => void undone.push("first"));
      defer(() => {
        throw new Error("stuck");
      });
      defer(() => void undone.push("third"));
    });
    await service.stop("quick");
    expect(undone).toEqual(["third", "first"]);
    await expect(get(service, "/livez")).rejects.toThrow();
  });

  it("stop: a second call does nothing more", async () => {
    const modes: StopMode[] = [];
    const service = await start(async ({ defer }) => defer((mode) => void modes.push(mode)));
    await Promise.all([service.stop("drain"), service.stop("quick")]);
    expect(modes).toEqual(["drain"]);
  });

  it("a failed build: everything built so far is undone, and the port is free again", async () => {
    const undone: string[] = [];
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const env = { VOXBUS_BELL_OPS_PORT: String((holder.address() as AddressInfo).port) };
    holder.close();
    await once(holder, "close");
    const failing = start(async ({ defer }) => {
      defer(() => void undone.push("first"));
      throw new Error("no bell");
    }, env);
    await expect(failing).rejects.toThrow("no bell");
    expect(undone).toEqual(["first"]);
    const again = await start(async () => {}, env);
    expect(await get(again, "/livez")).toMatchObject({ status: 200 });
  });
});
