import { createServer } from "node:http";
import { listen, type Log } from "@voxbus/subscriber";
import { expect, test } from "vitest";
import { createCounters } from "../observe/counters.ts";
import { createRefuser } from "./refusals.ts";

test("refusals: an error of our own is answered with 500, counted as internal and logged; once answered, the request ends", async () => {
  const counters = createCounters();
  const logged: string[] = [];
  const log = { error: (_: object, message: string) => void logged.push(message) } as unknown as Log;
  const refuser = createRefuser(counters, log);
  const server = createServer((request, response) => {
    if (request.url === "/late") response.write("half an answer");
    refuser.request(response, new TypeError("a private bug"));
  });
  const address = await listen(server, { host: "127.0.0.1", port: 0, variable: "" });
  const answer = await fetch(address);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toEqual({ error: "internal", message: "The gateway failed; its log says why." });
  await expect(fetch(`${address}/late`).then((late) => late.text())).rejects.toThrow();
  expect(counters.refusals.get("internal")).toBe(2);
  expect(logged).toEqual(["request failed", "request failed"]);
  server.close();
  server.closeAllConnections();
});
