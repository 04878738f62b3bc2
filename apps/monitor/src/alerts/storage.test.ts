import { type Alert, channels } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

const account = (jetstream: string): string =>
  `accounts { A { jetstream: ${jetstream}, users: [{ user: "a", password: "a" }] } }
no_auth_user: "a"`;

let my: TestMonitor;
beforeAll(async () => {
  my = await startTestMonitor({ VOXBUS_MONITOR_LEASE_MS: "6000" }, account("enabled"));
});
afterAll(() => my?.stop());

test("streams: an alert is raised although it cannot be stored, and resolved and stored when NATS stores again", async () => {
  const told: Alert[] = [];
  my.bus.subscribe(channels.alert("*"), (alert) => void told.push(alert));
  await my.bus.flush();
  const shown = async () => (await my.ask("GET", "/api/alerts?open=true")).body["alerts"] as readonly Alert[];
  my.nats.reload(account("disabled"));
  await vi.waitFor(() => expect(told).toHaveLength(1), { timeout: 14_000 });
  expect(told[0]).toMatchObject({ name: "streams", severity: "high", resolved: false });
  expect(await shown()).toMatchObject([{ name: "streams", id: told[0]!.id }]);

  my.nats.reload(account("enabled"));
  await vi.waitFor(() => expect(told).toHaveLength(2), { timeout: 14_000 });
  expect(told[1]).toMatchObject({ id: told[0]!.id, resolved: true });
  expect(await shown()).toEqual([]);
});
