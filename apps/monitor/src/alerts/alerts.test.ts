import type { Bus } from "@voxbus/bus";
import type { Log } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRunbook } from "../events/runbook.ts";
import { openAlerts } from "./alerts.ts";

let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test("alerts: the line of a change, and the list, have the name, the target and the link to the runbook", async () => {
  const lines: unknown[] = [];
  const alerts = await openAlerts({
    bus,
    active: () => true,
    webhooks: { wants: () => false, deliver: () => undefined },
    log: { warn: (...line: unknown[]) => lines.push(line) } as unknown as Log,
    runbook: createRunbook("https://wiki.example/voxbus"),
    raised: () => undefined,
  });
  const about = { name: "memory", target: "g1", message: "g1 holds much." };
  await alerts.apply({ type: "raise", severity: "medium" }, about);
  const runbook = "https://wiki.example/voxbus#memory";
  const fields = { alert: "memory", target: "g1", severity: "medium", transition: "raise", runbook };
  // A field `name` would hide that of the program.
  expect(lines).toEqual([[{ ...fields, id: expect.any(String) }, "alert changed"]]);
  expect(alerts.list()).toMatchObject([{ name: "memory", target: "g1", runbook }]);
  alerts.close();
});
