import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHomeAssistant, startModelServer, type ChatRequest, type HomeAssistant } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readBlocks, readPage } from "../docs/markdown.ts";
import { callFleet } from "./assistant.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { readSentences, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), "voxbus-home-"));
let home: HomeAssistant;
let model: Awaited<ReturnType<typeof startModelServer>>;
let system: LaunchedSystem;
let device: ScriptedDevice;

/** Writes the file of docs/home-assistant.md, with the stand-in's address in place of the real one. */
function writeServersFile(): string {
  const [recipe] = readBlocks(readPage("docs/home-assistant.md"), "json");
  const path = join(directory, "mcp.json");
  writeFileSync(path, recipe!.text.replace("http://homeassistant.local:8123/api/mcp", home.url));
  return path;
}

/** A model that looks at the home, switches what it was asked for, and says what came of it. */
async function* converse({ messages }: ChatRequest) {
  const question = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const results = messages.slice(messages.findLastIndex(({ role }) => role === "user")).filter(isToolResult);
  const last = results.at(-1)?.content ?? "";
  if (results.length === 0) yield call("home_GetLiveContext", {});
  else if (results.length === 1) {
    const name = /names: (Kitchen Light)/.exec(last)?.[1] ?? "";
    yield call("home_HassTurnOn", { name: question.includes("bath") ? "Bath Light" : name });
  } else yield last.includes("action_done") ? "The kitchen light is on." : "I know no such light.";
}

function call(name: string, args: object) {
  return { name, args: JSON.stringify(args) };
}

function isToolResult({ role }: { readonly role: string }): boolean {
  return role === "tool";
}

beforeAll(async () => {
  home = await startHomeAssistant();
  model = await startModelServer({ chat: (request) => converse(request) });
  system = await launchSystem({
    env: {
      HOME_ASSISTANT_TOKEN: home.token,
      VOXBUS_MCP_FILE: writeServersFile(),
      VOXBUS_MCP_PORT: "0",
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: model.url,
    },
  });
  device = await startDevice(system.devices[0]!, "talker", "--no-tools");
});
afterAll(async () => {
  await device?.end();
  await system?.close();
  await model?.close();
  await home?.stop();
  rmSync(directory, { recursive: true });
});

test("Home Assistant: a user asks a device, and the light is on", async () => {
  await vi.waitFor(() => expect(system.output()).toContain("server connected"), { timeout: 20_000 });
  await device.do({ do: "text", text: "turn on the kitchen light" });
  expect(readSentences(await device.turn())).toEqual(["The kitchen light is on."]);
  expect(home.calls).toEqual(["GetLiveContext {}", 'HassTurnOn {"name":"Kitchen Light"}']);
  expect(home.lightsOn()).toEqual(["Kitchen Light"]);
});

test("Home Assistant: the model is told that there is no such light", async () => {
  await device.do({ do: "text", text: "turn on the bath light" });
  expect(readSentences(await device.turn())).toEqual(["I know no such light."]);
  expect(home.calls.at(-1)).toBe('HassTurnOn {"name":"Bath Light"}');
});

test("Home Assistant: an assistant that reaches the devices finds the one that was asked", async () => {
  const url = /^ {2}MCP +(http:\/\/127\.0\.0\.1:\d+\/mcp)$/m.exec(system.output())?.[1] ?? "";
  const { devices } = JSON.parse(await callFleet(url, "list_devices", {})) as { devices: { id: string }[] };
  expect(devices.map(({ id }) => id)).toEqual(["talker"]);
});

test("Home Assistant: nothing that was said, and no token, is in the log", () => {
  const output = system.output();
  expect(output).not.toContain(home.token);
  expect(output).not.toMatch(/bath/i);
  expect(readFileSync(join(directory, "mcp.json"), "utf8")).not.toContain(home.token);
  expect(home.refused).toEqual([]);
});
