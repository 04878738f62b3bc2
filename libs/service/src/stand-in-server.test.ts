import { expect, test } from "vitest";
import { withStandIn } from "./stand-in-server.ts";

test("stand-in server: every request gets the answer, and afterwards no one answers", async () => {
  let address = "";
  await withStandIn({ type: "text/plain", body: "hello" }, async (url) => {
    address = url;
    for (const path of ["/models", "/audio/speech"]) {
      const response = await fetch(url + path, { method: "POST", body: "{}" });
      expect(response.headers.get("content-type")).toBe("text/plain");
      expect(await response.text()).toBe("hello");
    }
  });
  expect(new URL(address).hostname).toBe("127.0.0.1");
  await expect(fetch(address)).rejects.toThrow("fetch failed");
});

test("stand-in server: it closes also if its use fails", async () => {
  let address = "";
  const used = withStandIn({ type: "text/plain", body: "" }, async (url) => {
    address = url;
    throw new Error("no");
  });
  await expect(used).rejects.toThrow("no");
  await expect(fetch(address)).rejects.toThrow("fetch failed");
});
