import { expect, test } from "vitest";
import { CommandError } from "../command.ts";
import { refuseBystanders } from "./bystanders.ts";

test("bystanders: where NATS cannot be asked who is online, it says so and goes on", async () => {
  const told: string[] = [];
  const connect = () => Promise.reject(new CommandError("NATS is away"));
  await refuseBystanders({ connect, tell: (line) => void told.push(line) });
  expect(told).toEqual(["voxbus: it is not known whether devices are online here: NATS is away"]);
});

test("bystanders: a fault of the program itself is no reason to go on", async () => {
  const connect = () => Promise.reject(new TypeError("a fault"));
  await expect(refuseBystanders({ connect, tell: () => undefined })).rejects.toThrow("a fault");
});
