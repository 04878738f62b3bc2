import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cliUser, grants, listenerUser, shadowUser } from "../docs/grants.ts";
import { startGuardedNats, startProgram, type GuardedNats, type StartedProgram } from "./accounts.ts";
import { callFleet } from "./assistant.ts";
import { nameMessages, oneSentenceTurn, readSentences, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), "voxbus-accounts-"));
const serversFile = join(directory, "mcp.json");
const mcpServer = fileURLToPath(new URL("../../../apps/mcp/src/servers/test-stdio-server.mjs", import.meta.url));
let nats: GuardedNats;
const programs = new Map<string, StartedProgram>();
beforeAll(async () => {
  nats = await startGuardedNats();
  writeFileSync(
    serversFile,
    JSON.stringify({ mcpServers: { test: { command: process.execPath, args: [mcpServer] } } }),
  );
  const own: Readonly<Record<string, object>> = {
    mcp: { VOXBUS_MCP_PORT: "0", VOXBUS_MCP_FILE: serversFile },
    captions: { VOXBUS_LOG_LEVEL: "info" },
    recorder: { VOXBUS_RECORDER_DIR: join(directory, "recordings") },
  };
  const start = async (main: string, name: string, user: string) => {
    const secret = { VOXBUS_NATS_USER: user, VOXBUS_NATS_PASSWORD: nats.passwords[user] ?? "" };
    const env = { VOXBUS_NATS_URL: nats.server.url, ...secret, ...own[name] };
    programs.set(name, await startProgram(main, { name, env }));
  };
  await Promise.all([
    ...grants
      .map(({ user }) => user)
      .filter((user) => ![listenerUser, cliUser, shadowUser].includes(user))
      .map((user) => start(`apps/${user}/dist/main.js`, user, user)),
    ...["echo", "captions", "recorder"].map((name) => start(`examples/${name}/dist/main.js`, name, listenerUser)),
  ]);
});
afterAll(async () => {
  await Promise.all([...programs.values()].map((program) => program.end()));
  await nats.server.stop();
  rmSync(directory, { recursive: true });
});

const readDenials = (name: string) =>
  programs
    .get(name)!
    .lines.flatMap(({ msg, operation, subject }) =>
      msg === "NATS permission denied" ? [`${String(operation)} ${String(subject)}`] : [],
    );

test("programs under their own users: a device is answered, and the monitor speaks on it; only the listener's sending is denied", async () => {
  const device = await startDevice(programs.get("gateway")!.addresses["device"]!, "d1");
  await device.do({ do: "text", text: "what is nine times eight" });
  expect(readSentences(await device.turn())).toEqual(["That is 72."]);
  await device.do({ do: "wav", file: "samples/sum.wav" });
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual(oneSentenceTurn);
  expect(readSentences(turn)).toEqual(["That is 12."]);
  const api = `${programs.get("monitor")!.addresses["monitor"]}api/devices/d1`;
  const post = { method: "POST", headers: { "content-type": "application/json" } };
  await fetch(`${api}/say`, { ...post, body: JSON.stringify({ text: "dinner is ready" }) });
  expect(readSentences(await device.turn())).toEqual(["dinner is ready"]);
  const fleet = programs.get("mcp")!.addresses["fleet"]!;
  expect(await callFleet(fleet, "say", { device: "d1", text: "coffee is ready" })).toContain('"reply"');
  expect(readSentences(await device.turn())).toEqual(["coffee is ready"]);
  const isConnected = () => programs.get("mcp")!.lines.some(({ msg }) => msg === "server connected");
  await vi.waitFor(() => expect(isConnected()).toBe(true), { timeout: 20_000 });
  const profile = { method: "PUT", headers: { ...post.headers, "if-match": "0" }, body: JSON.stringify({ lead: 1 }) };
  expect((await fetch(`${api}/profile`, profile)).status).toBe(200);
  expect((await fetch(`${api}/dialogue`, { method: "DELETE" })).status).toBeLessThan(300);
  const registered = `${programs.get("monitor")!.addresses["monitor"]}api/registry/d2`;
  const change = { ...post, method: "PATCH", body: JSON.stringify({ name: "Hall", group: "ground", allowed: true }) };
  expect((await fetch(registered, change)).status).toBe(200);
  expect(await (await fetch(registered, { method: "DELETE" })).json()).toMatchObject({
    removed: { registry: 1, profiles: 1 },
  });
  // The echo hears what is said and cannot send it back. It has no permission for JetStream, and asked for none.
  await vi.waitFor(() => expect(readDenials("echo")).toEqual(["publish device.d1.out"]));
  expect(programs.get("echo")!.isRunning()).toBe(true);
  // The programs hand over what they are doing.
  await device.do({ do: "wav", file: "samples/sum.wav" });
  const codes = await Promise.all([...programs.values()].map((program) => program.end()));
  expect(codes).toEqual([...programs.values()].map(() => 0));
  await device.end();
  for (const { name, lines, output } of programs.values()) {
    if (name !== "echo") expect([name, readDenials(name)]).toEqual([name, []]);
    expect([name, lines.filter(({ level }) => Number(level) >= 50)]).toEqual([name, []]);
    for (const password of Object.values(nats.passwords)) expect(output()).not.toContain(password);
  }
});
