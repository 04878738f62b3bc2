import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it, vi } from "vitest";
import { root } from "../docs/markdown.ts";
import { findDebianCommand } from "../suites/debian-tree.ts";

vi.setConfig({ testTimeout: 120_000 });

let missing: string | undefined;
const promtool = await findDebianCommand({ name: "promtool", version: ["--version"], package: "prometheus" }).catch(
  (error: Error) => {
    missing = error.message;
    return "";
  },
);

it.skipIf(missing !== undefined)(
  `alerts: the rules raise what deploy/alerts/voxbus.test.yml expects, and nothing else ${missing ?? ""}`,
  async () => {
    const { stdout } = await promisify(execFile)(promtool, ["test", "rules", `${root}deploy/alerts/voxbus.test.yml`]);
    expect(stdout).toContain("SUCCESS");
  },
);
