import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectBus } from "@voxbus/bus";
import { makeCertificate, silentLog } from "@voxbus/testing";
import { afterAll, expect, it, vi } from "vitest";
import { cliUser, grants } from "../docs/grants.ts";
import { passwordVariable } from "../docs/permissions.ts";
import { prepareNatsNodes } from "./nats-node.ts";

vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), "voxbus-nats-nodes-"));
const certificate = makeCertificate(folder, "server");
const passwords = Object.fromEntries(grants.map((grant, at) => [passwordVariable(grant), `password-${at}`]));
afterAll(() => rmSync(folder, { recursive: true }));

// docker compose --profile cluster runs the first, deploy/kubernetes/overlays/production the second.
it.each(["cluster.conf", "secure.conf"] as const)(
  "%s: three servers keep three copies, and one may go",
  async (settings) => {
    const nodes = await prepareNatsNodes({ settings, folder, certificate, passwords });
    await Promise.all(nodes.map((node) => node.start()));
    const access = {
      VOXBUS_NATS_URL: nodes.map(({ url }) => url).join(),
      VOXBUS_NATS_REPLICAS: 3,
      ...(settings === "secure.conf" && {
        VOXBUS_NATS_CA: certificate.cert,
        VOXBUS_NATS_USER: cliUser,
        VOXBUS_NATS_PASSWORD: passwords[passwordVariable({ user: cliUser })],
      }),
    };
    const bus = await connectBus({ ...access, name: cliUser, streams: ["probes"] }, silentLog);
    await nodes[0]!.kill();
    await expect.poll(() => bus.connected() && bus.storing(), { timeout: 20_000 }).toBe(true);
    await bus.close();
    await Promise.all(nodes.map((node) => node.kill()));
  },
);
