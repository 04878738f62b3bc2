import type { Bus } from "@voxbus/bus";
import { buckets, type Activation } from "@voxbus/protocol";
import { createGuesses, type Log } from "@voxbus/subscriber";
import { z } from "zod";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { changeDevice, DeviceChange } from "../registry/change-device.ts";
import { WaitingDevice, type WaitingDevices } from "../registry/waiting-devices.ts";
import { requireBus } from "./require.ts";

const Activate = DeviceChange.pick({ name: true, group: true, note: true }).extend({
  code: z
    .string()
    .regex(/^\d{3}[ -]?\d{3}$/, "must be the six digits that the device shows")
    .describe("the code that the device shows"),
});

/** Wrong codes in a row of one caller, and the time until it may try one more, ms. A code is one of a million. */
const guessing = { burst: 10, refillMs: 10_000 } as const;

/** Adds the routes of devices that wait for an operator. */
export function addActivationRoutes(
  app: App,
  parts: { readonly bus: Bus; readonly waiting: WaitingDevices; readonly log: Log },
): void {
  const { bus, waiting, log } = parts;
  const registry = bus.bucket(buckets.registry);
  const guesses = createGuesses(guessing);
  let last: Promise<unknown> = Promise.resolve();
  const refuseDisabled = async (activation: Activation) => {
    const { device } = activation;
    if ((await registry.get(device))?.value?.allowed !== false) return activation;
    throw new Problem("code-unknown", `${device} is disabled: allow it first`);
  };
  /** Finds the device that waits with a code. One look-up at a time, so that every wrong code is counted before the next. */
  const findDevice = (code: string, from: string): Promise<Activation> => {
    const found = last.then(async () => {
      if (!guesses.allows(from, ""))
        throw new Problem("too-many-guesses", "too many wrong codes came from this address, try again later");
      const activation = await waiting.find(code);
      if (activation !== undefined) return refuseDisabled(activation);
      guesses.wrong(from, "");
      throw new Problem("code-unknown", "no device waits with this code; a code expires after 10 minutes");
    });
    last = found.catch(() => undefined);
    return found;
  };

  addRoute(app, "get", "/api/activations", {
    summary: "Devices that wait for an operator to type their code, the newest first",
    answer: z.object({ waiting: z.array(WaitingDevice) }),
    problems: [],
    handle: () => ({ waiting: [...waiting.list()] }),
  });

  addRoute(app, "post", "/api/activations", {
    summary: "Lets the device in that shows a code, and names it",
    body: Activate,
    answer: z.object({ device: z.string() }),
    problems: ["code-unknown", "too-many-guesses", "revision-conflict", "bus-away", "storage-full"],
    handle: async ({ body: { code, ...change }, context }) => {
      // Requests that no address is known of share their guesses.
      const { group = "unknown" } = context.get("client");
      requireBus(bus);
      const digits = code.replaceAll(/\D/g, "");
      const { device, token } = await findDevice(digits, group);
      await changeDevice(bus, device, change);
      await registry.modify(device, (registered) => ({
        since: bus.now(),
        ...registered,
        allowed: true,
        tokens: [token],
      }));
      await waiting.remove(digits);
      log.info({ device }, "device activated");
      return { device };
    },
  });
}
