import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";

const directory = mkdtempSync(join(tmpdir(), "voxbus-descriptors-"));
const main = join(directory, "main.mjs");
const children: ChildProcess[] = [];

// A process cannot run TypeScript on Node 20, so this one uses the built library.
beforeAll(() => {
  const library = new URL("../dist/index.js", import.meta.url).href;
  writeFileSync(
    main,
    `import { openSync } from "node:fs";
     import { createVitals, run } from ${JSON.stringify(library)};
     await run({ name: "bell", opsPort: 0 }, async ({ route, log }) => {
       const vitals = createVitals();
       const read = (request, response) => response.end(JSON.stringify(vitals.read()));
       route("GET /vitals", read);
       route("POST /use-up", (request, response) => {
         try { for (;;) openSync("/dev/null"); } catch (error) { log.info({ code: error.code }, "used up"); }
         read(request, response);
       });
     });`,
  );
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** Starts the program with a limit of descriptors. */
async function launch(limit: number) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const child = spawn("sh", ["-c", `ulimit -n ${limit}; exec "$0" "$1"`, process.execPath, main], {
    env: { ...Object.fromEntries(own), VOXBUS_LOG_FORMAT: "json" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      const entry = JSON.parse(line) as { msg: string; ops: string };
      if (entry.msg === "ready") resolve(entry.ops);
    });
  });
  return { child, lines, ops: await ready };
}

/** Opens a connection and waits until it is there. */
async function open(ops: string): Promise<Socket> {
  const { port, hostname } = new URL(ops);
  const socket = connect(Number(port), hostname).on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

it("descriptors: a process without a free one goes on, gives its numbers, and answers those who are connected", async () => {
  const { child, lines, ops } = await launch(512);
  const socket = await open(ops);
  const ask = async (request: string) => {
    socket.write(`${request} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString();
  };
  expect(await ask("POST /use-up")).toMatch(/^HTTP\/1\.1 200 [^]*"rss":[1-9]/);
  expect(lines.join("\n")).toContain('"code":"EMFILE"');
  const newcomers = await Promise.all(Array.from({ length: 20 }, () => open(ops)));
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1\.1 200 [^]*\nvoxbus_process_memory_bytes\S* [1-9]/);
  expect(await ask("GET /vitals")).toMatch(/"rss":[1-9]/);
  expect(child.exitCode).toBeNull();
  for (const one of [socket, ...newcomers]) one.destroy();
});
