import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { guardPage, readAssets } from "./assets.ts";

test("assets: every file of the page by its path, and nothing that a page is not made of", () => {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-page-"));
  try {
    mkdirSync(join(directory, "assets"));
    writeFileSync(join(directory, "index.html"), "<p>");
    writeFileSync(join(directory, "assets/a-1.js"), "1");
    writeFileSync(join(directory, "notes.txt"), "2");
    const assets = readAssets(directory);
    expect([...assets.keys()].toSorted()).toEqual(["/", "/assets/a-1.js"]);
    expect(assets.get("/")).toMatchObject({ type: "text/html; charset=utf-8", hashed: false });
    expect(assets.get("/assets/a-1.js")).toMatchObject({ hashed: true });
    expect(gunzipSync(assets.get("/assets/a-1.js")!.zipped).toString()).toBe("1");
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(readAssets(join(directory, "gone")).size).toBe(0);
});

const connectOf = (host: string, addresses: readonly string[] = []) =>
  /connect-src ([^;]*)/.exec(guardPage(host, addresses)["content-security-policy"]!)![1];

test("guard: the page connects to its own host and to the gateways, and runs no script but its own", () => {
  expect(connectOf("monitor.example:8080")).toBe(
    "'self' ws://monitor.example:* wss://monitor.example:* http://monitor.example:* https://monitor.example:*",
  );
  expect(connectOf("localhost", ["http://10.0.0.2:8000", "wss://voice.example/xiaozhi/v1/", "nonsense"])).toContain(
    "ws://10.0.0.2:8000 wss://10.0.0.2:8000 http://10.0.0.2:8000 https://10.0.0.2:8000 ws://voice.example wss://voice.example",
  );
  expect(connectOf("[::1]:8080")).toBe("'self' ws: wss: http: https:");
  const policy = guardPage("localhost", [])["content-security-policy"]!;
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toContain("unsafe");
});

test("guard: no Host header can add to the policy", () => {
  for (const host of ["evil.example; script-src *", "a b", "x'self'", "*", ""]) {
    expect(connectOf(host)).toBe("'self' ws: wss: http: https:");
  }
});
