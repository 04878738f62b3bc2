import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { StartedProgram } from "../e2e/accounts.ts";
import { startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";
import { prepareRecipe, type Recipe, type StartedRecipe } from "./recipe.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

const page = "examples/presence/README.md";
let recipe: Recipe;
let nats: PageNats;
let gateways: readonly StartedProgram[];
let program: StartedRecipe | undefined;
const devices: ScriptedDevice[] = [];

beforeAll(async () => {
  recipe = await prepareRecipe("go", page);
  if (recipe.missing !== undefined) return;
  nats = await startPageNats(page);
  gateways = await Promise.all(
    ["hall", "attic"].map((id) => nats.startOwn("gateway", { VOXBUS_GATEWAY_ID: id, VOXBUS_AUTH: "none" })),
  );
});
afterAll(async () => {
  await program?.end();
  await Promise.all(devices.map((device) => device.end()));
  await Promise.all((gateways ?? []).map((gateway) => gateway.end()));
  await nats?.server.stop();
  recipe?.remove();
});

test("presence: its tests pass", async ({ skip }) => {
  skip(recipe.missing !== undefined, recipe.missing);
  expect(await recipe.run()).toContain("ok");
});

test("presence: devices come and go, also with a gateway that is killed, under the page's user", async ({ skip }) => {
  skip(recipe.missing !== undefined, recipe.missing);
  const connect = async (gateway: StartedProgram, id: string) =>
    devices.push(await startDevice(gateway.addresses["device"]!, id));
  await connect(gateways[0]!, "aa:bb:cc:dd:ee:ff");
  const login = { VOXBUS_NATS_USER: "presence", VOXBUS_NATS_PASSWORD: nats.password };
  program = await recipe.start({ VOXBUS_NATS_URL: nats.server.url, ...login });
  expect(program.output()).toMatch(/^\+ aa:bb:cc:dd:ee:ff +hall +\S+Z 127\.0\.0\.1$/m);
  await connect(gateways[1]!, "kitchen");
  await vi.waitFor(() => expect(program!.output()).toMatch(/^\+ kitchen +attic /m), { timeout: 10_000 });
  await devices[0]!.end();
  await vi.waitFor(() => expect(program!.output()).toMatch(/^- aa:bb:cc:dd:ee:ff$/m), { timeout: 20_000 });
  // Its lease runs out, the entry of the device stays, and no other gateway writes anything.
  await gateways[0]!.end();
  gateways[1]!.kill();
  await vi.waitFor(() => expect(program!.output()).toMatch(/^- kitchen$/m), { timeout: 20_000 });
  expect(await program.end()).toBe(0);
  expect(program.output()).not.toMatch(/permission/i);
});
