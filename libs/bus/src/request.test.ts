import { connect, headers, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { channels, encodeEnvelope, ToolResult } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { Bus } from "./bus.ts";
import { RefusedError } from "./errors.ts";
import { connectOwnBus } from "./test-bus.ts";

let server: NatsServer;
let bus: Bus;
let other: NatsConnection;
beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectOwnBus(server.url);
  other = await connect({ servers: server.url });
});
afterAll(async () => {
  await bus?.close();
  await other?.close();
  await server?.stop();
});

const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";
const call = { id: `${session}:7:1`, device: "kitchen", session, origin: 7, args: {}, deadline: 5 };
const text = (given: string) => encodeEnvelope(ToolResult, { text: given });

/** Ends a subscription, and waits until NATS knows it. */
async function end(subscription: Subscription): Promise<void> {
  subscription.unsubscribe();
  await other.flush();
}

/** Answers each request for a tool with these messages, one after the other. */
async function answer(...messages: readonly (Uint8Array | string)[]): Promise<void> {
  const subscription = other.subscribe("tool.test", {
    callback: (_, request) => {
      for (const message of messages) request.respond(message);
    },
  });
  onTestFinished(() => end(subscription));
  await other.flush();
}
const ask = (trace?: Record<string, string>) => {
  return bus.request(channels.tool("test"), call, { timeoutMs: 60_000, ...(trace && { trace }) });
};

test("request: the first of several answers counts", async () => {
  await answer(text("one"), text("two"));
  expect(await ask()).toEqual({ text: "one" });
});

test.each([
  ["no MessagePack", "on", "bad-envelope", "envelope"],
  ["JSON", '{"text":"on"}', "bad-envelope", "envelope"],
  ["a newer version", encodeEnvelope(z.any(), { v: 2, text: "on" }), "newer-version", "v"],
  ["no text", encodeEnvelope(z.any(), { text: 5 }), "bad-envelope", "text"],
  ["too long", encodeEnvelope(z.any(), { text: "x".repeat(70_000) }), "bad-envelope", "text"],
  ["nothing", "", "bad-envelope", "envelope"],
])("request: an answer that is %s fails at once, and is reported", async (_, message, reason, field) => {
  const counted = () => bus.badMessages().find((bad) => bad.reason === reason && bad.field === field)?.count ?? 0;
  const before = counted();
  await answer(message);
  await expect(ask()).rejects.toMatchObject({ name: "ProtocolError" });
  expect(counted()).toBe(before + 1);
  expect(bus.badMessages().at(-1)).toMatchObject({ subject: "tool.test" });
});

test("request: the answer of a stream that stores the request is passed over", async () => {
  await answer('{"stream":"LOG", "seq":1}', text("on"));
  expect(await ask()).toEqual({ text: "on" });
});

test("request: a refusal of 450,000 characters is cut to 1,024, and its code may be no number", async () => {
  const refusal = headers();
  refusal.set("Nats-Service-Error", "no ".repeat(150_000));
  refusal.set("Nats-Service-Error-Code", "none");
  const refuse = (_: unknown, request: Msg) => void request.respond(undefined, { headers: refusal });
  const subscription = other.subscribe("tool.test", { callback: refuse });
  onTestFinished(() => end(subscription));
  await other.flush();
  const error: unknown = await ask().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RefusedError);
  expect(error).toMatchObject({ code: 500, reason: "no ".repeat(400).slice(0, 1024) });
});

test("request: without a program that answers, it fails at once", async () => {
  await expect(ask()).rejects.toMatchObject({ name: "NoResponderError" });
});

test("request: trace context travels only if it is given", async () => {
  const seen: (string | undefined)[] = [];
  const subscription = other.subscribe("tool.test", {
    callback: (_, request) => {
      seen.push(request.headers?.get("traceparent"));
      request.respond(text("on"));
    },
  });
  onTestFinished(() => end(subscription));
  await other.flush();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await ask({ traceparent });
  await ask();
  expect(seen).toEqual([traceparent, undefined]);
});
