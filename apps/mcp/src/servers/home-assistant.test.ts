import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHomeAssistant } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { readServersFile } from "./servers-file.ts";
import { startBridge } from "./test-bridge.ts";

/** Reads the file of docs/home-assistant.md, with the stand-in's address in place of the real one. */
function readRecipe(change: (text: string) => string, token: string) {
  const page = readFileSync(new URL("../../../../docs/home-assistant.md", import.meta.url), "utf8");
  const [, recipe = ""] = /```json\n(.*?)```/s.exec(page) ?? [];
  const directory = mkdtempSync(join(tmpdir(), "voxbus-home-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "mcp.json");
  writeFileSync(path, change(recipe));
  return readServersFile(path, { HOME_ASSISTANT_TOKEN: token }).servers;
}

const address = "http://homeassistant.local:8123/api/mcp";

async function startHome() {
  const home = await startHomeAssistant();
  onTestFinished(() => home.stop());
  return home;
}

test.each(["http", "sse"] as const)(
  "Home Assistant over %s: the recipe's tools are offered, and control the home",
  async (kind) => {
    const home = await startHome();
    const url = kind === "sse" ? home.sseUrl : home.url;
    const servers = readRecipe((text) => text.replace(`"${address}"`, `"${url}", "type": "${kind}"`), home.token);
    const { bridge, tools, call } = startBridge(servers);
    await bridge.tried;
    expect([...tools.keys()]).toEqual([
      "home_HassTurnOn",
      "home_HassTurnOff",
      "home_HassCancelAllTimers",
      "home_GetLiveContext",
    ]);
    expect(tools.get("home_HassTurnOn")).toMatchObject({
      finishes: true,
      schema: { type: "object", properties: { name: { type: "string" }, area: { type: "string" } } },
    });
    expect(tools.get("home_GetLiveContext")?.finishes).toBe(false);
    expect(await call("home_GetLiveContext")).toContain("names: Kitchen Light");
    expect(JSON.parse(await call("home_HassTurnOn", { name: "kitchen light" }))).toMatchObject({
      response_type: "action_done",
      data: { success: [{ name: "Kitchen Light" }] },
    });
    expect(home.lightsOn()).toEqual(["Kitchen Light"]);
    await call("home_HassTurnOn", { area: "Living Room", domain: ["light"] });
    await call("home_HassTurnOff", { name: "Kitchen Light" });
    expect(home.lightsOn()).toEqual(["Ceiling Light"]);
    await expect(call("home_HassTurnOn", { name: "Bath Light" })).rejects.toThrow("Error calling tool");
    await expect(call("home_HassTurnOn", { brightness: 5 })).rejects.toThrow("extra keys not allowed");
    expect(home.refused).toEqual([]);
  },
);

test("Home Assistant: a wrong token is refused with 401, which the log says", async () => {
  const home = await startHome();
  const { bridge, lines, tools } = startBridge(readRecipe((text) => text.replace(address, home.url), "an old token"));
  await bridge.tried;
  expect(tools.size).toBe(0);
  expect(lines.at(-1)).toEqual({
    message: "server not connected, retrying",
    fields: { server: "home", reason: "HTTP 401" },
  });
  expect(home.refused[0]).toBe("POST /api/mcp 401");
  expect(home.calls).toEqual([]);
});
