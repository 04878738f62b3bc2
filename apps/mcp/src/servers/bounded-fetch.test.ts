import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createBoundedFetch, MessageTooLargeError } from "./bounded-fetch.ts";

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("bounded fetch: a body of JSON is read up to the limit, and refused beyond it", async () => {
  const refusals: Error[] = [];
  const bounded = createBoundedFetch(1000, (error) => refusals.push(error));
  const url = await serve((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify("x".repeat(Number(request.headers["x-length"]))));
  });
  const small = await bounded(url, { headers: { "x-length": "998" } });
  expect([small.status, small.url, ((await small.json()) as string).length]).toEqual([200, url, 998]);
  const large = await bounded(url, { headers: { "x-length": "5000" } });
  await expect(large.json()).rejects.toThrow(MessageTooLargeError);
  expect(refusals).toHaveLength(1);
});

test.each(["\n", "\r\n"])(
  "bounded fetch: an event stream has no end, but each event has (line end %j)",
  async (end) => {
    const refusals: Error[] = [];
    const bounded = createBoundedFetch(1000, (error) => refusals.push(error));
    const event = `event: m${end}data: ${"x".repeat(300)}${end}${end}`;
    const answers: Readonly<Record<string, string>> = {
      "/many": event.repeat(20),
      "/large": event + `data: ${"y".repeat(300)}${end}`.repeat(4),
    };
    const url = await serve(({ url: path = "" }, response) => {
      response.setHeader("content-type", "text/event-stream; charset=utf-8");
      response.end(answers[path]);
    });
    const many = await bounded(new URL("/many", url));
    expect(await many.text()).toBe(answers["/many"]);
    expect(refusals).toEqual([]);
    const large = await bounded(new URL("/large", url));
    await expect(large.text()).rejects.toThrow(MessageTooLargeError);
    expect(refusals).toHaveLength(1);
  },
);
