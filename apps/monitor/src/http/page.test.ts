import { expect, test } from "vitest";
import { guardPage } from "./page.ts";

const connectOf = (host: string, addresses: readonly string[] = []) =>
  /connect-src ([^;]*)/.exec(guardPage(host, addresses)["content-security-policy"]!)![1];

test("guard: the page connects to its own host and to the gateways, and runs only its own scripts", () => {
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
